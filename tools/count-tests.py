#!/usr/bin/env python3
"""Counts the test cases of JUnit files: prints what failed and why what was skipped, then one closing
line `N passed, N failed[, N skipped]`. Exit 1 when anything failed, or when nothing ran at all."""
import sys
import xml.etree.ElementTree as ET


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}

    def failed(what):
        print(f"FAILED: {what}")
        count["failed"] += 1

    for path in paths:
        try:
            root = ET.parse(path).getroot()
        except (OSError, ET.ParseError) as err:
            failed(f"no results in {path} ({err})")
            continue
        for suite in root.iter("testsuite"):
            cases = [(c, outcome(c)) for c in suite.findall("testcase")]
            for case, result in cases:
                name = f"{suite.get('name')}: {case.get('name')}"
                if result == "failed":
                    failed(name)
                    continue
                count[result] += 1
                if result == "skipped":
                    print(f"skipped: {name}: {case.findtext('system-out') or 'no reason given'}")
            # A suite that crashed or timed out as a whole still counts.
            broken = int(suite.get("errors") or 0) or not cases
            if broken and all(r != "failed" for _, r in cases):
                failed(f"{suite.get('name')}: ended without a full result")

    tail = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{tail}")
    return 1 if count["failed"] or not count["passed"] else 0


sys.exit(main(sys.argv[1:]))
