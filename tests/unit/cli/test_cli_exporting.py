"""What an exported folder says of itself."""

from __future__ import annotations

from pathlib import Path

from ftsweep.cli.exporting import name_export
from ftsweep.store.folders import Store


def test_the_readme_of_an_exported_trial_names_study_seed_and_scale(tmp_path: Path) -> None:
    folder, readme = Store(tmp_path / "mlruns").study("demo"), tmp_path / "README.md"
    readme.write_text("# Trial 3 of a study of ftsweep\n\nHow to load it.\n", encoding="utf-8")
    name_export(folder, tmp_path, (3, 0), 1.0)
    assert readme.read_text(encoding="utf-8") == "# Trial 3 of the study demo\n\nHow to load it.\n"
    name_export(folder, tmp_path, (3, 2), 0.75)
    first, _, rest = readme.read_text(encoding="utf-8").partition("\n")
    assert first == "# Trial 3, fresh seed 2 of the study demo, its trained change scaled by 0.75"
    assert rest == "\nHow to load it.\n"
