"""`make bench`: every measurement against the peers, one after the other."""

import subprocess
import sys
from pathlib import Path

BENCHES = ("expectations.py", "anomaly.py", "detection.py", "audit.py", "assist.py", "reconcile.py")


def main() -> int:
    worst = 0
    for name in BENCHES:
        print(f"\n=== {name}", flush=True)
        done = subprocess.run([sys.executable, Path(__file__).with_name(name)], check=False)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
