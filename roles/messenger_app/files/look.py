"""Print as JSON what a release needs to know of this host: python - DIRECTORY"""

import json
import shutil
import sys
from pathlib import Path

wanted = Path(sys.argv[1])
existing = next(path for path in (wanted, *wanted.parents) if path.exists())
print(
    json.dumps(
        {
            "python": ".".join(map(str, sys.version_info[:2])),
            "free_megabytes": shutil.disk_usage(existing).free // 2**20,
            "directory": str(existing),
        }
    )
)
