"""What filters answer to examples comes back through TensorBoard's own application, on both of its loaders."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tb_filterviz.metadata import RECIPE_TAG
from tests.plugin.described import EXAMPLES, PATCHES, RECIPE, TILES, encoded
from tests.plugin.measured import CLASSES, STEPS, write_colored, write_measured
from tests.plugin.serving import LOADERS, pixels, tab, unpack, write, write_raw
from tests.responses import planted
from tests.responses.planted import BLOB, DEAD, OF_EACH

WHERE = {"run": "filters", "layer": "made"}


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_examples_come_back_pixel_by_pixel(loader: str, tmp_path: Path) -> None:
    write_measured(tmp_path)
    images, labels = planted.images()
    with tab(tmp_path, loader) as served:
        (run,) = served.get("layers")["runs"]
        assert (run["examples"], run["problems"]) == (len(images), [])
        assert run["recipe"]["examples"]["count"] == len(images)
        about = served.get("examples", run="filters")
        assert about["labels"] == labels.tolist()
        assert about["class_names"] == list(CLASSES)
        assert about["mapped"] == [0, 1, 2]
        assert about["image_shape"] == [12, 12, 1]
        top = float(np.max(run["recipe"]["input_range"]))
        for index in (0, 7, len(images) - 1):
            answer = served.answer("example", run="filters", index=index)
            assert answer.status_code == 200
            assert answer.mimetype == "image/png"
            shown = np.asarray(Image.open(io.BytesIO(answer.data)))
            np.testing.assert_allclose(shown, np.clip(images[index, ..., 0] / top * 255, 0, 255), atol=0.51)


def test_what_filters_answer_comes_back_at_every_step(loader: str, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with tab(tmp_path, loader) as served:
        (layer,) = served.get("layers")["runs"][0]["layers"]
        about = layer["responses"]
        assert about["kinds"] == ["classes", "map_scales", "maps", "patches"]
        assert about["map"] == [3, 10, 10]
        assert (about["read_at"], about["is_gated"]) == ("made", True)
        assert about["box"][2:] == [3, 3]
        assert about["strides"] == [1, 1]
        for filter_ in range(5):
            answer = served.get("responses", **WHERE, filter=filter_)
            assert answer["steps"] == list(STEPS)
            for at, snapshot in enumerate(memory.snapshots):
                found = snapshot.responses
                assert found is not None
                assert found.class_means is not None
                expected = np.concatenate([found.patches[filter_][:, None], found.units[filter_]], axis=1)
                assert answer["patches"][at] == expected.tolist()
                np.testing.assert_allclose(answer["values"][at], found.values[filter_], rtol=1e-4, atol=1e-6)
                np.testing.assert_allclose(answer["classes"][at], found.class_means[filter_], rtol=1e-3, atol=1e-6)
        excited = served.get("statistics", **WHERE)["statistics"]["excited"]
        answers = served.get("responses", **WHERE, filter=BLOB)["patches"]
        listed = [[example >= 0 for example, _, _ in answer] for answer in answers]
        assert [round(row[BLOB] * 3 * OF_EACH) for row in excited] == [12, 10, 5]
        assert [sum(row) for row in listed] == [9, 9, 5]
        assert [row[DEAD] for row in excited] == [0, 0, 0]


def test_maps_come_back_pixel_by_pixel(loader: str, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with tab(tmp_path, loader) as served:
        for which in range(3):
            header, maps = unpack(served.answer("maps", **WHERE, example=which).data)
            assert header["steps"] == list(STEPS)
            for at, snapshot in enumerate(memory.snapshots):
                assert snapshot.responses is not None
                assert snapshot.responses.maps is not None
                assert np.array_equal(maps[at, ..., 0], snapshot.responses.maps[:, which])


def test_kernels_come_back_pixel_by_pixel(loader: str, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with tab(tmp_path, loader) as served:
        layer = served.get("layers")["runs"][0]["layers"][0]
        assert layer["kernels"] == {"slices": [1, 3, 3], "effective": [3, 3, 1]}
        header, shown = unpack(served.answer("kernels", **WHERE).data)
        assert header["steps"] == list(STEPS)
        answer = served.get("responses", **WHERE, filter=BLOB)
        for at, snapshot in enumerate(memory.snapshots):
            assert snapshot.kernels is not None
            assert snapshot.kernels.effective is not None
            assert np.array_equal(shown[at], snapshot.kernels.effective)
            assert answer["slices"][at] == snapshot.kernels.slices[BLOB].tolist()
            assert answer["channels"][at] == [0]


def test_large_images_are_stored_reduced(loader: str, tmp_path: Path) -> None:
    memory, examples = write_colored(tmp_path)
    with tab(tmp_path, loader) as served:
        about = served.get("examples", run="filters")
        assert about["sides"] == [256, 239]
        assert about["labels"] == []
        assert about["mapped"] == [5, 2]
        answer = served.answer("example", run="filters", index=4)
        assert answer.mimetype == "image/jpeg"
        picture = Image.open(io.BytesIO(answer.data))
        shown = np.asarray(picture.resize((280, 300)), np.float32)
        assert np.abs(shown - examples.source[4] * 255).mean() < 8.5
        layer = served.get("layers")["runs"][0]["layers"][0]
        assert layer["responses"]["map"] == [2, 15, 14]  # of 74 x 69 units
        found = memory.snapshots[0].responses
        assert found is not None
        assert found.class_means is None
        assert "classes" not in layer["responses"]["kinds"]
        assert layer["kernels"] == {"slices": [3, 5, 5], "effective": [5, 5, 3]}


def test_what_is_not_there_is_said(loader: str, tmp_path: Path) -> None:
    write_measured(tmp_path / "with")
    write(tmp_path / "without", range(2))
    with tab(tmp_path, loader) as served:
        without = {"run": "without/filters", "layer": "conv2d_1"}
        for route, query, status, said in (
            ("examples", {"run": "without/filters"}, 404, "has no examples"),
            ("example", {"run": "with/filters", "index": 36}, 404, "there is no example 36"),
            ("example", {"run": "with/filters", "index": -1}, 400, "`index` must be a whole number"),
            ("responses", {**without, "filter": 99}, 400, "`filter` must be a whole number from 0 to 5"),
            ("maps", without, 404, "has no maps"),
            ("maps", {"run": "with/filters", "layer": "made", "example": 3}, 400, "from 0 to 2"),
        ):
            answer = served.answer(route, **query)
            assert answer.status_code == status
            assert said in answer.get_data(as_text=True)
        assert served.get("responses", **without, filter=0) == {"steps": []}
        assert served.answer("kernels", **without).status_code == 404
        layers = {run["run"]: run["layers"][0] for run in served.get("layers")["runs"]}
        assert layers["without/filters"]["responses"] is None


def test_damaged_examples_and_responses_cost_no_more_than_themselves(loader: str, tmp_path: Path) -> None:
    tiles = pixels(0, "conv2d_1", (6, 5, 5, 1))
    patches = np.zeros((6, 2, 4), np.float32)
    write_raw(
        tmp_path / "filters",
        {
            RECIPE_TAG: (encoded(RECIPE), np.uint8(0)),
            "filterviz/conv2d_1/tiles": (encoded(TILES), tiles),
            "filterviz/conv2d_1/responses/patches": (encoded(PATCHES, {"filters": 5, "shape": [5, 2, 4]}), patches[:5]),
            "filterviz/conv2d_1/responses/classes": (encoded(PATCHES), patches),
            "filterviz/examples": (encoded(EXAMPLES, {"count": 99}), np.zeros(EXAMPLES["shape"][0], np.uint8)),
        },
    )
    with tab(tmp_path, loader) as served:
        (run,) = served.get("layers")["runs"]
        assert run["examples"] == 0
        assert run["layers"][0]["responses"] is None
        said = " ".join(run["problems"])
        assert "its patches are not those of 6 filters" in said
        assert "knows no such tag" in said
        assert "of 99 examples so far" in said
        _, shown = served.tiles(run="filters", layer="conv2d_1")
        assert np.array_equal(shown[0], tiles)
