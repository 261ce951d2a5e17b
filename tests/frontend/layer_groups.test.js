import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { groupLayers } from "../../tb_filterviz/plugin/static/words/layer_groups.js";
import { randomOf } from "./random.js";

// The convolutional layers of keras.applications, as Keras 3 names them, in the order in which the models hold them.
const NAMES = JSON.parse(readFileSync(new URL("./layer_names.json", import.meta.url), "utf8"));

/** @param {string} model */
function sizes(model) {
  return groupLayers(NAMES[model]).map(({ title, names }) => [title, names.length]);
}

/** @param {string[]} names */
function titled(names) {
  return groupLayers(names).map(({ title, names: inside }) => [title, ...inside]);
}

test("ResNet50 has its five stages", () => {
  assert.deepEqual(sizes("ResNet50"), [["conv1", 1], ["conv2", 10], ["conv3", 13], ["conv4", 19], ["conv5", 10]]);
});

test("VGG16 has its five blocks", () => {
  assert.deepEqual(sizes("VGG16"), [["block1", 2], ["block2", 2], ["block3", 3], ["block4", 3], ["block5", 3]]);
});

test("MobileNetV2 has its blocks, and what comes before and after them", () => {
  const groups = sizes("MobileNetV2");
  assert.deepEqual(groups[0], [null, 2]); // Conv1 and expanded_conv_project
  assert.deepEqual(groups.slice(1, -1), Array.from({ length: 16 }, (_, at) => [`block_${at + 1}`, 2]));
  assert.deepEqual(groups.at(-1), [null, 1]);
});

test("EfficientNetB0 has its seven stages, whose blocks are told by letters", () => {
  assert.deepEqual(sizes("EfficientNetB0").map(([title]) => title),
    [null, "block1", "block2", "block3", "block4", "block5", "block6", "block7", null]);
});

test("DenseNet121 has its dense blocks and transitions", () => {
  assert.deepEqual(sizes("DenseNet121"),
    [["conv1", 1], ["conv2", 12], ["pool2", 1], ["conv3", 24], ["pool3", 1], ["conv4", 48],
    ["pool4", 1], ["conv5", 32]]);
});

test("ConvNeXt and MobileNetV3 have theirs, whose names have more words", () => {
  assert.deepEqual(sizes("ConvNeXtTiny"),
    [0, 1, 2, 3].map((stage) => [`convnext_tiny_stage_${stage}`, [3, 3, 9, 3][stage]]));
  const titles = sizes("MobileNetV3Small").map(([title]) => title);
  assert.deepEqual(titles, [null, ...Array.from({ length: 10 }, (_, at) => `expanded_conv_${at + 1}`), null]);
});

test("names that Keras chose tell no blocks", () => {
  assert.deepEqual(sizes("InceptionV3"), [[null, 94]]);
  const own = ["conv2d", "conv2d_1", "conv2d_transpose_1", "depthwise_conv2d_2", "separable_conv2d_3", "conv1d_1",
    "Conv3D_1"];
  assert.deepEqual(titled(own), [[null, ...own]]);
});

test("names that would stand alone are one group", () => {
  assert.deepEqual(sizes("NASNetMobile"), [[null, 36]]);
  assert.deepEqual(titled(["conv1", "conv2", "conv3"]), [[null, "conv1", "conv2", "conv3"]]);
  assert.deepEqual(titled(["encoder/conv", "decoder/conv"]), [[null, "encoder/conv", "decoder/conv"]]);
});

test("no layers are no groups, and one is one", () => {
  assert.deepEqual(groupLayers([]), []);
  assert.deepEqual(titled(["conv2d"]), [[null, "conv2d"]]);
  assert.deepEqual(titled(["block1_conv1"]), [[null, "block1_conv1"]]);
});

test("models in a model are groups", () => {
  assert.deepEqual(titled(["encoder/conv_1", "encoder/conv_2", "decoder/conv_1", "decoder/conv_2", "head"]),
    [["encoder", "encoder/conv_1", "encoder/conv_2"], ["decoder", "decoder/conv_1", "decoder/conv_2"], [null, "head"]]);
});

test("a folder that all lie in says nothing", () => {
  const inside = NAMES.ResNet50.map((/** @type {string} */ name) => `resnet50/${name}`);
  assert.deepEqual(groupLayers(inside).map(({ title }) => title), ["conv1", "conv2", "conv3", "conv4", "conv5"]);
});

test("a large model in a model is grouped by its own blocks", () => {
  const names = [...NAMES.ResNet50.map((/** @type {string} */ name) => `backbone/${name}`), "head_1", "head_2"];
  assert.deepEqual(groupLayers(names).map(({ title, names: inside }) => [title, inside.length]), [["backbone/conv1", 1],
    ["backbone/conv2", 10], ["backbone/conv3", 13], ["backbone/conv4", 19], ["backbone/conv5", 10], [null, 2]]);
});

test("blocks of names with points, hyphens, and numbers alone", () => {
  assert.deepEqual(titled(["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1",
    "layer2.0.conv2"]).map(([title]) => title),
    [null, "layer1", "layer2"]);
  assert.deepEqual(titled(["conv1_1", "conv1_2", "conv2_1", "conv2_2"]),
    [["conv1", "conv1_1", "conv1_2"], ["conv2", "conv2_1", "conv2_2"]]);
  assert.deepEqual(titled(["block1-a", "block1-b", "block12-a", "block12-b"]).map(([title]) => title),
    ["block1", "block12"]);
});

test("whatever the names, every layer is listed once, in its order", () => {
  const random = randomOf(3);
  const parts = ["conv", "conv1", "conv2d", "block", "a", "1", "12", "_", "_", "/", ".", "é", "enc"];
  for (let trial = 0; trial < 300; trial += 1) {
    const nameOf = () => Array.from({ length: 1 + random(6) }, () => parts[random(parts.length)]).join("");
    const names = Array.from({ length: random(30) }, nameOf);
    const groups = groupLayers(names);
    assert.deepEqual(groups.flatMap((group) => group.names), names);
    assert.ok(groups.every(({ title, names: inside }) => inside.length && title !== ""));
    const singles = groups.filter((group) => group.names.length === 1).length;
    assert.ok(groups.length <= 1 || 2 * singles <= groups.length, "most groups have more than one layer");
  }
});
