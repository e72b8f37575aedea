from measure.cli import app

app(prog_name="measure")
