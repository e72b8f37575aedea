"""Code that is copied by name before packages are installed, and what is fetched after the code."""

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine.editing import edited
from measure.mine.order import late_installs, order_steps
from tests.images_by_hand import SITE
from tests.manners_of_others import source
from tests.model_of_build import sent
from tests.unit.test_mine_others import NOISE, steps, weigh
from tests.unit.test_mine_trying import report_with, step


def late(text):
    """The numbers of the lines that install or fetch after the code; FROM is line 1."""
    return [one.first for one in late_installs(Dockerfile("Dockerfile", f"FROM a\n{text}\n").chain()[-1].instructions)]


def done(text, after=""):
    """What becomes of the lines when the code is copied last; None where that takes a person."""
    dockerfile = Dockerfile("Dockerfile", f"FROM a\n{text}\n")
    try:
        made = edited(dockerfile, None, report_with(), step("order of lines", "", []), sent(text, after)).text
    except Problem as problem:
        assert "not done by itself" in problem.what and problem.why and problem.next
        return None
    Dockerfile("Dockerfile", made).check()
    return made.removeprefix("FROM a\n").removesuffix("\n")


INSTALL = "RUN pip install -r requirements.txt"


@pytest.mark.parametrize(
    "copies",
    [
        "COPY app/ app/", "COPY ./src /srv/src", "COPY backend/ .", "COPY main.py .", "COPY *.py ./", "ADD src/* /srv/",
        'COPY ["services/api/", "/srv/"]', "COPY --chown=1 --link requirements.txt main.py ./",
        'COPY shop shop\nCMD ["gunicorn", "shop.wsgi"]', "COPY app app\nCOPY requirements.txt .\nRUN useradd web",
        "COPY alembic/ alembic/", "COPY frontend web",
    ],
)  # fmt: skip
def test_packages_are_installed_anew_after_each_edit_of_code_that_is_copied_by_name(copies):
    lines = copies.partition("\nCMD")
    assert late(f"{lines[0]}\n{INSTALL}{lines[1]}{lines[2]}") == [lines[0].count("\n") + 3]


@pytest.mark.parametrize(
    "text",
    [
        f"COPY requirements.txt .\n{INSTALL}\nCOPY app/ app/", f"COPY wheels/ /wheels\n{INSTALL}",
        f"COPY --from=one /src/app /app\n{INSTALL}", f"ADD https://example.com/get.py /\n{INSTALL}",
        f"ADD https://example.com/app /usr/bin/app\n{INSTALL}", f"COPY shop shop\n{INSTALL}",
        f"COPY setup.py .\n{INSTALL}", f"COPY app/requirements.txt .\n{INSTALL}",
        f"COPY get-pip.py .\nRUN python get-pip.py\n{INSTALL}",
        f"COPY app app\nRUN ./app/prepare\n{INSTALL}", "COPY app app\nCOPY pyproject.toml .\nRUN pip install .",
        'COPY app app\nRUN pip install --no-cache-dir ".[web]"', "COPY app app\nRUN pip install -U ./app",
        "COPY app app\nRUN pip install /srv/app", "COPY app app\nRUN pip install -r r.txt -e .",
        "COPY src src\nRUN poetry install --only-root", "COPY src src\nRUN poetry install && pip install .",
        "COPY pyproject.toml poetry.lock ./\nRUN poetry install --no-root\nCOPY src src\nRUN poetry install",
        "COPY pyproject.toml uv.lock ./\nRUN uv sync --no-install-project\nCOPY src src\nRUN uv sync --locked",
        "COPY app app\nRUN echo pip && make install", "COPY app app\nRUN apt-get install -y ./app/tool.deb",
        "COPY . .\nRUN echo -e 'use pip install a && b' > /etc/motd",
        "COPY app app\nRUN pip install dist/*.whl", "COPY src src\nRUN pip install vendor.tar.gz",
        "COPY src src\nRUN pip install 'libs/core/'", "COPY app app\nRUN pip install -Ur r.txt .",
    ],
)  # fmt: skip
def test_what_may_be_installed_from_is_no_code(text):
    assert late(text) == []


@pytest.mark.parametrize(
    "text",
    ["COPY src src\nRUN poetry install --no-root", "COPY src src\nRUN uv sync --no-install-project",
     "COPY app.py .\nRUN apt-get update && apt-get install -y git", "COPY app app\nRUN pip install -t /x -r /y/r.txt",
     "COPY src src\nRUN poetry install --only main", "COPY src src\nRUN uv sync --frozen",
     "COPY src src\nRUN pip install poetry && poetry install", "COPY src src\nRUN <<EOF\npdm sync\nEOF",
     "COPY src src\nRUN uv pip sync r.txt", "COPY src src\nRUN pip install --require-hashes --no-deps -r r.txt",
     "COPY src src\nRUN pip install -Ur ./r.txt", "COPY src src\nRUN pip install -i https://x/simple/ a"],
)  # fmt: skip
def test_what_needs_none_of_the_code_is_late(text):
    assert late(text) == [3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"WORKDIR /srv\nCOPY app/ app/\nCOPY requirements.txt .\n{INSTALL}\nCMD x",
         f"WORKDIR /srv\nCOPY requirements.txt .\n{INSTALL}\nCOPY app/ app/\nCMD x"),
        (f"COPY requirements.txt .\nCOPY src src\nCOPY --chown=1 main.py .\n{INSTALL}",
         f"COPY requirements.txt .\n{INSTALL}\nCOPY src src\nCOPY --chown=1 main.py ."),
        (f"COPY requirements.txt main.py ./\n{INSTALL}",
         f"COPY requirements.txt ./\n{INSTALL}\nCOPY requirements.txt main.py ./"),
        ("COPY ./src /app\nRUN pip install -r /app/requirements.txt",
         "COPY src/requirements.txt /app/\nRUN pip install -r /app/requirements.txt\nCOPY ./src /app"),
        (f"WORKDIR /app\nCOPY backend/ .\n{INSTALL.replace('-r ', '-r ./')}",
         f"WORKDIR /app\nCOPY backend/requirements.txt ./\n{INSTALL.replace('-r ', '-r ./')}\nCOPY backend/ ."),
        ("WORKDIR /app\nCOPY src/* src/\nRUN pip install -r src/requirements.txt",
         "WORKDIR /app\nCOPY src/requirements.txt /app/src/\nRUN pip install -r src/requirements.txt\nCOPY src/* src/"),
        ("COPY app app\nCOPY base.txt prod.txt ./\nRUN pip install -r prod.txt",
         "COPY base.txt prod.txt ./\nRUN pip install -r prod.txt\nCOPY app app"),
        ("COPY app app\nCOPY requirements/ requirements/\nRUN pip install -r requirements/prod.txt",
         "COPY requirements/ requirements/\nRUN pip install -r requirements/prod.txt\nCOPY app app"),
        ("COPY src src\nCOPY pyproject.toml poetry.lock ./\nRUN pip install poetry && poetry install --no-root",
         "COPY pyproject.toml poetry.lock ./\nRUN pip install poetry && poetry install --no-root\nCOPY src src"),
        ("COPY app app\nCOPY --from=one /uv /bin/\nCOPY requirements.txt .\nRUN uv pip install -r requirements.txt",
         "COPY --from=one /uv /bin/\nCOPY requirements.txt .\nRUN uv pip install -r requirements.txt\nCOPY app app"),
        (f"COPY . .\nCOPY --from=b /out/requirements.txt ./\n{INSTALL}",
         f"COPY --from=b /out/requirements.txt ./\n{INSTALL}\nCOPY . ."),
        ("COPY . .\nRUN npm install", "COPY package.json ./\nRUN npm install\nCOPY . ."),
        (f"COPY . .\nCOPY <<EOF requirements.txt\na\nEOF\n{INSTALL}",
         f"COPY <<EOF requirements.txt\na\nEOF\n{INSTALL}\nCOPY . ."),
        (f"COPY . .\nCOPY requirements.txt .\n{INSTALL}", f"COPY requirements.txt .\n{INSTALL}\nCOPY . ."),
        ("WORKDIR /x\nCOPY . .\nCOPY prod.txt requirements.txt\nRUN pip install -r requirements.txt",
         "WORKDIR /x\nCOPY prod.txt requirements.txt\nRUN pip install -r requirements.txt\nCOPY . ."),
        (f"COPY app app\nRUN useradd web\nCOPY requirements.txt .\n{INSTALL}",
         f"COPY requirements.txt .\n{INSTALL}\nCOPY app app\nRUN useradd web"),
        ("COPY app app\nCOPY prod.json app/config.json\nRUN pip install flask",
         "RUN pip install flask\nCOPY app app\nCOPY prod.json app/config.json"),
        ("COPY main.py .\nCOPY . .\nRUN ./configure\nRUN pip install flask",
         "RUN pip install flask\nCOPY main.py .\nCOPY . .\nRUN ./configure"),
        ("COPY app app\nUSER web\nRUN pip install --user x", "USER web\nRUN pip install --user x\nCOPY app app"),
        (f"# the code,\n# all of it\nCOPY . .\n\n# its packages\n{INSTALL}\n# last\nCMD x",
         f"\nCOPY requirements.txt ./\n# its packages\n{INSTALL}\n# the code,\n# all of it\nCOPY . .\n# last\nCMD x"),
        (f"# one\fpage\nCOPY . .\n{INSTALL}", f"COPY requirements.txt ./\n{INSTALL}\n# one\fpage\nCOPY . ."),
        ("WORKDIR /x\nCOPY --link --chown=a:b --chmod=640 . .\nUSER a\nRUN pip install --user -r req/a.txt",
         "WORKDIR /x\nUSER a\nCOPY --chown=a:b --chmod=640 req ./req\nRUN pip install --user -r req/a.txt\n"
         "COPY --link --chown=a:b --chmod=640 . ."),
        (f"COPY . .\nRUN apt-get install -y a && rm -rf /var/lib/apt/lists/* && {INSTALL[4:]} && rm -rf /root/.cache",
         "COPY requirements.txt ./\n"
         f"RUN apt-get install -y a && rm -rf /var/lib/apt/lists/* && {INSTALL[4:]} && rm -rf /root/.cache\nCOPY . ."),
        ("COPY . .\nRUN pip install -qUr 'r.txt' -cc.txt",
         "COPY r.txt c.txt ./\nRUN pip install -qUr 'r.txt' -cc.txt\nCOPY . ."),
        ("COPY . .\nRUN npm install -g serve @a/b@1 && npm ci",
         "COPY package.json package-lock.json ./\nRUN npm install -g serve @a/b@1 && npm ci\nCOPY . ."),
        ("COPY . .\nRUN pip install -r r.txt -c https://x/c.txt",
         "COPY r.txt ./\nRUN pip install -r r.txt -c https://x/c.txt\nCOPY . ."),
        ("COPY . .\nRUN pip install -r https://x/r.txt", "RUN pip install -r https://x/r.txt\nCOPY . ."),
        ("COPY . .\nRUN uv pip install --system a", "RUN uv pip install --system a\nCOPY . ."),
        ("COPY . .\nRUN /v/bin/pip install --index-url https://x/y 'a[b]>=1' git+https://x/z",
         "RUN /v/bin/pip install --index-url https://x/y 'a[b]>=1' git+https://x/z\nCOPY . ."),
        ("COPY src src\nCOPY pyproject.toml poetry.lock* ./\nRUN poetry install --no-root",
         "COPY pyproject.toml poetry.lock* ./\nRUN poetry install --no-root\nCOPY src src"),
    ],
)  # fmt: skip
def test_the_code_is_copied_after_what_installs(before, after):
    assert done(before, after) == after


@pytest.mark.parametrize(
    "text",
    [
        f"COPY main.py /srv/\n{INSTALL}", f"COPY a.py b.py /srv/\n{INSTALL}", f"COPY app app\n{INSTALL} && ./prepare",
        f"WORKDIR /srv\nCOPY app app\nWORKDIR /\nCOPY requirements.txt .\n{INSTALL}",
        "COPY . .\nRUN ./configure\nUSER web\nRUN pip install flask",
        "COPY . .\nRUN ./configure\nENV PIP_INDEX_URL=x\nRUN pip install flask",
        f"COPY app app\nWORKDIR /srv\nRUN useradd web\nCOPY requirements.txt .\n{INSTALL}",
        "ARG E=a\nCOPY . .\nRUN pip install -r req/${E}.txt", "COPY . .\nRUN pip install -r $LIST",
        "COPY . .\nRUN conda install -c conda-forge numpy", "COPY . .\nRUN npm ci --prefix web",
        "COPY . .\nRUN npm --prefix web ci", "COPY . .\nRUN npm install express", "COPY . .\nRUN uv tool install ruff",
        "COPY . .\nRUN uv pip sync r.txt", "COPY . .\nRUN uv sync --no-install-workspace --package a",
        "COPY . .\nRUN pip install --group prod", "COPY . .\nRUN pip install a.whl", "COPY . .\nRUN pip install a/b",
        f"COPY . .\nENV PIP_CONSTRAINT=c.txt\n{INSTALL}", f"ENV UV_CONFIG_FILE=/app/uv.toml\nCOPY . /app\n{INSTALL}",
        f"COPY . .\nRUN PIP_CONSTRAINT=c.txt {INSTALL[4:]}", f"COPY . .\n{INSTALL} --find-links wheels",
        "COPY . /app\nRUN pip install -f /app/wheels x", f"COPY . .\n{INSTALL} && echo A=1 > .env",
        f"WORKDIR /app\nCOPY . .\n{INSTALL} && rm -rf /app/tests", f"COPY . .\n{INSTALL} && ln -sf a.py b.py",
        f"COPY . .\n{INSTALL} && curl -sSLo data/x https://x/y", f"COPY . /app\n{INSTALL} && mkdir -p /app/logs",
        "COPY . /app\nRUN useradd -m -d /app web && apt-get install -y git",
        f"COPY . .\nRUN poetry export -o requirements.txt\n{INSTALL}",
        f"COPY . .\nRUN sed -i 1d requirements.txt\n{INSTALL}",
        "COPY . .\nRUN uv export > r.txt && uv pip install -r r.txt",
        "COPY api/ .\nCOPY shared/ shared/\nRUN pip install -r shared/r.txt",
        f"COPY --chown=web . /app\nWORKDIR /app\n{INSTALL}",
        f"COPY . .\nRUN echo celery >> requirements.txt\n{INSTALL}",
        f"COPY . .\nCOPY --from=b /out/ ./\n{INSTALL}", f"COPY . .\nCOPY --from=b /out/*.txt ./\n{INSTALL}",
        f"COPY . .\nCOPY --parents a/*.txt ./\n{INSTALL}",
    ],
)  # fmt: skip
def test_where_the_code_cannot_simply_be_copied_last_a_person_does_it(text):
    assert late(text)
    assert done(text) is None


def test_the_escape_sign_of_another_editor_is_moved_with_its_line():
    text = source("windows-editor").dockerfile.read_text(encoding="utf-8-sig")
    made = edited(Dockerfile("Dockerfile", text), None, report_with(), step("order of lines", "", [])).text
    assert made.splitlines()[3:] == [
        "WORKDIR /app", "ADD vendor.tar.gz /opt/", "RUN pip install --no-cache-dir `", "    itsdangerous==2.2.0",
        "COPY app.py `", "     ./", 'CMD ["python", "app.py"]',
    ]  # fmt: skip


@pytest.mark.usefixtures("cache")
def test_what_is_sent_again_after_an_edit_of_code_that_is_copied_by_name(tmp_path):
    lines, own = ["COPY app/ app/", "RUN pip install a"], ({"app/a": b"1"}, {f"{SITE}/a": NOISE})
    one = steps(weigh(tmp_path, *own, lines=lines, text="\n".join(["FROM a", *lines])))["order of lines"]
    assert (one.where, one.other_bytes) == ("Dockerfile:3", pytest.approx(len(NOISE), rel=0.05))


MODEL = """RUN python -c "from transformers import AutoModel; AutoModel.from_pretrained('org/name')\""""


@pytest.mark.parametrize(
    "fetch",
    [
        "RUN python -m spacy download en_core_web_sm", "RUN /opt/venv/bin/python3 -m nltk.downloader -d /data punkt",
        "RUN playwright install --with-deps chromium", MODEL, "RUN spacy download de && rm -rf /tmp/x",
        """RUN python3 -c 'import nltk; nltk.download("punkt", download_dir="/data")'""",
        "RUN hf download org/name --local-dir /models", "RUN huggingface-cli download org/name",
    ],
)  # fmt: skip
def test_what_is_fetched_after_the_code_is_fetched_anew_after_each_edit(fetch):
    for copy in ("COPY . .", "COPY app app"):
        text = f"RUN pip install x\n{copy}\nUSER web\n{fetch}"
        assert (late(text), done(text)) == ([5], f"RUN pip install x\nUSER web\n{fetch}\n{copy}")
        (one,) = order_steps(Dockerfile("Dockerfile", f"FROM a\n{text}\n"), None)
        assert (one.what, one.other) == ("fetch, then copy the code", "fetched again after each edit of the code")


@pytest.mark.parametrize(
    "fetch",
    [
        "RUN python fetch_model.py", 'RUN python -c "from app.models import load; load()"',
        """RUN python -c "import spacy, app; spacy.load('x')\"""",
        """RUN python -c "from transformers import AutoModel; import app; AutoModel.from_pretrained('a/b')\"""",
        MODEL.replace("org/name", "./model"), """RUN python -c "import nltk; nltk.download(open('a').read())\"""",
        "RUN poetry run playwright install", "RUN uv run python -m spacy download en",
        "RUN ./setup && python -m spacy download en", "RUN ./setup\nRUN playwright install",
        "RUN pip install --no-deps .\nRUN python -m spacy download en", 'RUN python -c "print(1)"',
    ],
)  # fmt: skip
def test_what_may_need_the_code_to_be_fetched_stays_below_it(fetch):
    assert late(f"RUN pip install -r r.txt\nCOPY . .\n{fetch}") == []


def test_what_is_installed_and_what_is_fetched_go_above_the_code_together():
    fetch = "RUN python -m spacy download en"
    for text, lines in ((f"{INSTALL}\n{fetch}", [3, 4]), (f"{INSTALL} && python -m spacy download en", [3])):
        assert late(f"COPY . .\n{text}") == lines
        after = f"COPY requirements.txt ./\n{text}\nCOPY . ."
        assert done(f"COPY . .\n{text}", after) == after
        (one,) = order_steps(Dockerfile("Dockerfile", f"FROM a\nCOPY . .\n{text}\n"), None)
        assert one.what == "copy the list of requirements alone, install and fetch, then copy the code"
        assert one.other == "installed and fetched again after each edit of the code"


@pytest.mark.parametrize(
    ("text", "lists"),
    [(INSTALL, True), ("RUN pip install flask 'gunicorn>=23'", False), ("RUN apt-get install -y git", False),
     ("RUN apt-get update && apt-get install -y git && pip install flask", False),
     ("RUN pip install flask\nRUN pip install -r requirements.txt", True), ("RUN npm ci", True),
     ("RUN pip install -c limits.txt flask", True), ("RUN pip install -r https://host/list.txt", False)],
)  # fmt: skip
def test_a_list_is_copied_alone_only_where_a_line_reads_one(text, lists):
    (one,) = order_steps(Dockerfile("Dockerfile", f"FROM a\nCOPY . .\n{text}\n"), None)
    assert one.what == f"{'copy the list of requirements alone, ' if lists else ''}install, then copy the code"


@pytest.mark.parametrize(
    ("line", "option"),
    [("RUN poetry install --only main", "--no-root"), ("RUN uv sync --frozen --no-dev", "--no-install-project"),
     ("RUN pip install pdm && pdm sync --prod", "--no-self")],
)  # fmt: skip
def test_a_tool_that_installs_the_project_too_is_told_to_leave_it_out(line, option):
    for copy in ("COPY . .", "COPY pyproject.toml ./\nCOPY src src"):
        text = f"WORKDIR /srv\n{copy}\n{line}"
        (one,) = order_steps(Dockerfile("Dockerfile", f"FROM a\n{text}\n"), None)
        then = "then copy the code and install the project"
        assert one.what == f"copy the list of requirements alone, install with {option}, {then}"
        assert (one.page, done(text)) == ("steps/step-2.md", None)


def test_what_is_fetched_beside_is_told_along_with_the_option():
    text = "FROM a\nCOPY . .\nRUN poetry install && python -m spacy download en\n"
    (one,) = order_steps(Dockerfile("Dockerfile", text), None)
    assert "install with --no-root and fetch, then copy the code and install the project" in one.what
