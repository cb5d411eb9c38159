"""How every benchmark ends: one line with its figure and its verdict, and the exit status."""

import json


def conclude(name: str, figure: str, *, kept: bool | None, details: dict[str, object], as_json: bool) -> int:
    """Print the details as one JSON object if asked, then the verdict; returns 0, or 1 on a miss.

    `kept` is None for what was not promised.
    """
    if as_json:
        print(json.dumps(details | {"bench": name, "kept": kept, "figure": figure}))
    else:
        for key, value in details.items():
            print(f"  {key}: {value}")
    verdict = {None: "nothing is promised", True: "kept", False: "MISSED"}[kept]
    print(f"{name}: {figure}: {verdict}")
    return 1 if kept is False else 0
