"""The web site: pages rendered on the server, and the few files that they load, all of them from here.

Pages read the record as the API's own calls do; what they change, they change through the API's calls.
Templates are in `templates/`; style, scripts and what was taken from elsewhere (`vendored.json`) in
`static/`.
"""
