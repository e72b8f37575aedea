"""MkDocs' hook for the site's search. MkDocs loads this file by its path, see mkdocs.yml.

lunr, in the theme's worker, knows equal ends of words by a text that can mean two things where letters are digits. It
then looks for words that no page has, and finds nothing for whatever begins like them (findings/
mkdocs-material-search-digits.sh). A comma keeps letters and numbers apart.
"""

from pathlib import Path
from typing import Any

MENDED = """
lunr.TokenSet.prototype.toString = function () {
  return [this.final, ...Object.keys(this.edges).sort().map((letter) => letter + this.edges[letter].id)].join();
};
"""


def on_post_build(config: Any) -> None:
    """Mend the worker that was built into config's site_dir. Raises ValueError unless there is exactly one."""
    (worker,) = Path(config.site_dir).glob("assets/javascripts/workers/search.*.min.js")
    with worker.open("a") as script:
        script.write(MENDED)
