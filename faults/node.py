"""`tidings`, but for one step at which it fails: `FAULTS_STEP=taken:die:20 python -m faults.node worker`."""

import os

from faults.steps import arm

if __name__ == "__main__":
    arm(os.environ["FAULTS_STEP"])
    from tidings.cli.main import main

    main()
