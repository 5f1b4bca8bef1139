"""Three archives and a hub on this machine: `cscale demo`.

Scenes (`romania`, `simulated`; `own` for the user's) are cut into archives as partial as real ones
(`archives`, `items`), served by processes of their own (`services`), searched and checked against the
source (`walk`), and one is shown (`picture`). It needs the `site` extra.
"""
