"""Let the peers' virtual environment find what this one has: join_environment.py FOLDER.

They need another Hydra than ftsweep, and the same torch, transformers and peft: what is installed there comes first.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def main() -> None:
    own, folder = sysconfig.get_path("purelib"), Path(sys.argv[1])
    theirs = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(theirs, "ftsweep-environment.pth").write_text(f"import site; site.addsitedir({own!r})\n", encoding="utf-8")


if __name__ == "__main__":
    main()
