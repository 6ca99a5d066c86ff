"""Files between machines: what changed is sent, put in place in order, and nothing leads out of a job's folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftsweep.cluster import growing_log
from ftsweep.cluster.incoming import Incoming
from ftsweep.cluster.inputs import inputs_of
from ftsweep.cluster.objects import Objects, file_hash
from ftsweep.cluster.outgoing import Outgoing
from ftsweep.cluster.tree import Tree
from ftsweep.store.address.place import store_named


def carry(outgoing: Outgoing, incoming: Incoming) -> list[str]:
    """Bring what has changed; its kinds in order."""
    kinds = []
    for item in (*outgoing.log_items(), *outgoing.items()):
        getattr(incoming, f"take_{item['kind']}")(Outgoing.loaded(item))
        kinds.append(f"{item['kind']} {item.get('name', '')}".strip())
    return kinds


def test_changes_arrive_and_removals_too(tmp_path: Path) -> None:
    here, tree = tmp_path / "store" / "trials" / "0001", Tree(str(tmp_path / "node"))
    there = tree.place(str(here))
    there.mkdir(parents=True)
    outgoing, incoming = Outgoing([str(here)], tree), Incoming([str(here)], "", "a1")
    (there / "measurements.jsonl").write_text("one\n")
    (there / "checkpoint").mkdir()
    (there / "checkpoint" / "weights").write_bytes(b"1" * 10)
    (there / "checkpoint" / "progress.json").write_text('{"rung": 1}')
    (there / "empty").touch()
    carry(outgoing, incoming)
    assert (here / "checkpoint" / "weights").read_bytes() == b"1" * 10
    assert (here / "empty").read_bytes() == b""
    assert carry(outgoing, incoming) == []
    (there / "checkpoint" / "weights").write_bytes(b"22")
    (there / "model.json").write_text(f'{{"path": "{there}/x"}}')
    carry(outgoing, incoming)
    assert (here / "checkpoint" / "weights").read_bytes() == b"22"
    assert (here / "checkpoint" / "progress.json").read_text() == '{"rung": 1}'
    assert (here / "model.json").read_text() == f'{{"path": "{here}/x"}}'
    for file in (there / "checkpoint").iterdir():
        file.unlink()
    (there / "empty").unlink()
    carry(outgoing, incoming)
    assert sorted(each.name for each in here.iterdir()) == ["measurements.jsonl", "model.json"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ".hidden", "a/.b", "", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    incoming = Incoming([str(tmp_path / "own")], str(tmp_path / "cache"), "a1")
    part = {"kind": "part", "folder": str(tmp_path / "own"), "name": name, "offset": 0, "data": b"x"}
    with pytest.raises(ValueError, match="a node writes"):
        incoming.take_part(part)
    with pytest.raises(ValueError, match="no folder of its job"):
        incoming.take_part({**part, "folder": str(tmp_path), "name": "x"})


def test_an_object_is_laid_out_as_it_was_sent_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("a row\n")
    objects, name = Objects(tmp_path / "objects", 1 << 20), file_hash(source)
    assert objects.missing([name]) == {name: 0}
    with pytest.raises(ValueError, match="did not arrive"):
        objects.put(name, 0, b"another", is_last=True)
    objects.put(name, 0, b"a ro", is_last=False)
    assert objects.missing([name]) == {name: 4}
    objects.put(name, 4, b"w\n", is_last=True)
    assert objects.missing([name]) == {}
    objects.lay_out({str(source): name}, str(tmp_path / "tree"), copies=False)
    assert Path(f"{tmp_path}/tree{source}").read_text() == "a row\n"


def test_a_job_needs_the_prepared_sets_of_its_branch_and_nothing_else_that_a_node_names(tmp_path: Path) -> None:
    for name in ("cache/prepared/0a/meta.json", "secret/key"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    job = {"type": "train", "cache": str(tmp_path / "cache")}
    inputs = inputs_of(job, [str(tmp_path / "cache" / "prepared" / "0a"), str(tmp_path / "secret")])
    assert set(inputs.kept) == {str(tmp_path / "cache" / "prepared" / "0a" / "meta.json")}


def test_a_job_needs_its_folder_data_and_base(tmp_path: Path) -> None:
    for name in ("folder/spec.json", "rows.jsonl", "base/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    data = {"train": str(tmp_path / "rows.jsonl"), "validation": None}
    config = {"data": data, "general": None, "stages": {}, "model": {"path": str(tmp_path / "base")}}
    job = {"folder": str(tmp_path / "folder"), "cache": str(tmp_path / "cache"), "spec": {"config": config}}
    inputs = inputs_of(job)
    assert set(inputs.kept) == {str(tmp_path / "rows.jsonl"), str(tmp_path / "base" / "config.json")}
    assert set(inputs.copied) == {str(tmp_path / "folder" / "spec.json")}
    moved = Tree("/node").inwards(job, inputs.paths)
    assert moved["spec"]["config"]["model"]["path"] == f"/node{tmp_path}/base"
    assert Tree("/node").outwards(moved) == job


def test_a_job_on_another_studys_model_needs_it_and_its_base(tmp_path: Path) -> None:
    base, store = tmp_path / "base", tmp_path / "store"
    model = store / "studies" / "first" / "model"
    for folder in (base, model):
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").touch()
    manifest = model / "ftsweep.json"
    manifest.write_text(json.dumps({"model": {"path": str(base)}}))
    inputs = inputs_of({"spec": {"config": {"model": {"study": "first", "store": str(store)}}}})
    assert inputs.paths == {str(store): str(store), str(base): str(base)}
    assert set(inputs.kept) == {str(base / "weights.safetensors"), str(model / "weights.safetensors"), str(manifest)}
    assert inputs.told == [str(manifest)]


def test_a_job_on_the_model_of_a_study_at_an_address_gets_what_was_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTSWEEP_STORES", str(tmp_path / "stores"))
    address = f"file://{tmp_path}/team"
    model = store_named(address).study("first").path / "model"
    model.mkdir(parents=True)
    (model / "weights.safetensors").touch()
    job = {"type": "train", "spec": {"config": {"model": {"study": "first", "store": address}}}}
    inputs = inputs_of(job)
    assert set(inputs.kept) == {str(model / "weights.safetensors")}
    tree = Tree("/node/run", ["/node/store"], inputs.addresses)
    moved = Tree("/node/store").inwards(job, inputs.paths)
    folder = moved["spec"]["config"]["model"]["store"]
    assert Path(folder) / "studies" / "first" / "model" == Path(f"/node/store{model}")
    assert tree.outwards(moved) == job
    (tmp_path / "ftsweep.json").write_text(json.dumps({"store": folder, "log": f"/node/run{tmp_path}/x \udcff"}))
    told = {"store": address, "log": f"{tmp_path}/x \udcff"}
    assert json.loads(tree.text_outwards(tmp_path / "ftsweep.json") or b"") == told
    assert tree.outwards({"text": f"\udcff in {folder}/cache"}) == {"text": f"\udcff in {model.parents[2]}/cache"}


def test_what_killed_processes_left_in_a_runs_folder_is_not_carried(tmp_path: Path) -> None:
    run, tree = tmp_path / "0001", Tree(str(tmp_path / "node"))
    there = tree.place(str(run))
    for folder in (run, there):
        (folder / ".checkpoint.old").mkdir(parents=True)
        (folder / ".checkpoint.old" / "weights").write_text("former")
        (folder / ".checkpoint.99999999.tmp").mkdir()
        (folder / ".checkpoint.99999999.tmp" / "weights").write_text("torn")
    (run / ".a0.incoming.tmp").mkdir()
    (run / ".a0.incoming.tmp" / "weights").write_text("torn")
    assert set(inputs_of({"folder": str(run)}).copied) == {str(run / "checkpoint" / "weights")}
    carry(Outgoing([str(run)], tree), Incoming([str(run)], "", "a1"))
    assert [each.name for each in run.iterdir()] == ["checkpoint"]
    assert (run / "checkpoint" / "weights").read_text() == "former"


def test_a_prepared_set_appears_in_the_cache_as_a_whole(tmp_path: Path) -> None:
    cache, tree = tmp_path / "cache", Tree(str(tmp_path / "node"))
    made = cache / "prepared" / ("0" * 32)
    there = tree.place(str(made))
    there.mkdir(parents=True)
    (there / "meta.json").write_text("{}")
    outgoing, incoming = Outgoing([str(made)], tree), Incoming([], str(cache), "a1")
    part, end = map(Outgoing.loaded, outgoing.items())
    incoming.take_part(part)
    assert not made.exists()
    incoming.take_folder(end)
    assert [each.name for each in made.parent.iterdir()] == [made.name]
    assert (made / "meta.json").read_text() == "{}"


def test_a_log_grows_between_rungs_in_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_log, "MOST_BYTES", 40)
    here, tree = tmp_path / "store" / "0001", Tree(str(tmp_path / "node"))
    here.mkdir(parents=True)
    there = tree.place(str(here)) / "worker.log"
    there.parent.mkdir(parents=True)
    (here / "worker.log").write_text("of an earlier attempt\n")
    there.write_text("of an earlier attempt\n")
    outgoing, incoming = Outgoing([str(here)], tree), Incoming([str(here)], "", "a1")
    outgoing.note()

    def grown(text: str) -> str:
        with there.open("a") as file:
            file.write(text)
        for item in outgoing.log_items():
            incoming.take_log(item)
        return (here / "worker.log").read_text()

    assert grown("") == "of an earlier attempt\n"
    assert grown("step 1\nste") == "of an earlier attempt\nstep 1\n"
    assert grown("p 2\n") == "of an earlier attempt\nstep 1\nstep 2\n"
    many = "".join(f"step {number}\n" for number in range(10, 30))
    note = "... 128 bytes of the log come with the next rung ...\n"
    last = "".join(f"step {number}\n" for number in range(26, 30))
    assert grown(many) == f"of an earlier attempt\nstep 1\nstep 2\n{note}{last}"
    assert [kind for kind in carry(outgoing, incoming) if kind.startswith("part")] == ["part worker.log"]
    assert (here / "worker.log").read_text() == there.read_text()
    assert grown("the end\n") == there.read_text()


def test_a_log_names_the_paths_of_the_control_machine(tmp_path: Path) -> None:
    here, tree = tmp_path / "0001", Tree(str(tmp_path / "node"))
    there = tree.place(str(here))
    there.mkdir(parents=True)
    (there / "worker.log").write_text(f"reads {there}/rows.jsonl\n")
    (item,) = Outgoing([str(here)], tree).log_items()
    assert item["data"] == f"reads {here}/rows.jsonl\n".encode()
