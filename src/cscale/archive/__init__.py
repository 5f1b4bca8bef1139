"""The bytes of a site: its folders of data, and their delivery over HTTP.

`folders` opens what lies in the configured folders and nothing else, `api` serves it under `/data`.
"""
