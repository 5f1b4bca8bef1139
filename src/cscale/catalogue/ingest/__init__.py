"""Everything that can be handed in to a catalogue, and `ingest`, which takes it."""

from cscale.catalogue.ingest.assets import FILE_EXTENSION, checksum
from cscale.catalogue.ingest.retention import apply_retention
from cscale.catalogue.ingest.taking import Options, Progress, Report, ingest

__all__ = ["ingest", "Options", "Report", "Progress", "checksum", "FILE_EXTENSION", "apply_retention"]
