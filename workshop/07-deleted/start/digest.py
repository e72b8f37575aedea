"""Writes the digest of a file, as an application prepares its data."""

import hashlib
import sys
from pathlib import Path

content = Path(sys.argv[1]).read_bytes()
Path("digest.txt").write_text(f"sha256 {hashlib.sha256(content).hexdigest()}\n")
