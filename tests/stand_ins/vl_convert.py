"""What draws the report's figures, without drawing: its JavaScript engine takes seconds to start.

On PYTHONPATH in the runs of workspaces, a hundred, in which nobody looks at figures. The tests of
the report, of what the documents show, and those that run commands as users do have the real one.
"""

import json


def vegalite_to_svg(spec):
    json.dumps(spec, allow_nan=False)
    return '<svg xmlns="http://www.w3.org/2000/svg"/>'


def javascript_bundle(snippet):
    return f"/* {snippet} */"
