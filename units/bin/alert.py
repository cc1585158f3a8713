"""Says what failed, from what supd tells in the environment (systemd.exec(5), $MONITOR_*)."""

import os
import sys

if __name__ == "__main__":
    result = os.environ.get("MONITOR_SERVICE_RESULT", "?")
    code = os.environ.get("MONITOR_EXIT_CODE", "?")
    status = os.environ.get("MONITOR_EXIT_STATUS", "?")
    print(f"alert: {sys.argv[1]} failed: {result} ({code}, status {status})", flush=True)
