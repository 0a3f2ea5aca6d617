// Linked planes: a click, a drag or a slider moves the cross in every volume of its viewer. No request leaves the page.
(() => {
  "use strict";
  const PLANES = [["axial", 0, 1, 2], ["coronal", 0, 2, 1], ["sagittal", 1, 2, 0]];
  const CHANGE = [[45, 0, 75], [247, 247, 247], [127, 59, 8]]; // PuOr reversed at its ends and middle

  function voxelsOf(image, shape) {
    const canvas = document.createElement("canvas");
    canvas.width = shape[0];
    canvas.height = shape[1] * shape[2];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return Uint8Array.from({ length: pixels.length / 4 }, (_, n) => pixels[4 * n]);
  }

  function colourOf(value, kind) {
    if (kind === "grey") return [value, value, value];
    const part = Math.max(-1, Math.min(1, (value - 128) / 127));
    const end = part < 0 ? CHANGE[0] : CHANGE[2];
    return CHANGE[1].map((middle, n) => middle + Math.abs(part) * (end[n] - middle));
  }

  function drawPlane(canvas, voxels, shape, at, plane, kind) {
    const [, across, up, through] = plane;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(shape[across], shape[up]);
    const index = [0, 0, 0];
    index[through] = at[through];
    for (let row = 0; row < shape[up]; row++) {
      for (let column = 0; column < shape[across]; column++) {
        index[across] = column;
        index[up] = shape[up] - 1 - row;
        const value = voxels[(index[2] * shape[1] + index[1]) * shape[0] + index[0]];
        picture.data.set([...colourOf(value, kind), 255], 4 * (row * shape[across] + column));
      }
    }
    context.putImageData(picture, 0, 0);
    context.fillStyle = kind === "grey" ? "rgba(255, 190, 60, .55)" : "rgba(0, 0, 0, .35)";
    context.fillRect(at[across], 0, 1, shape[up]);
    context.fillRect(0, shape[up] - 1 - at[up], shape[across], 1);
  }

  function start(viewer) {
    const shape = JSON.parse(viewer.dataset.shape);
    const at = JSON.parse(viewer.dataset.begin);
    const sliders = [...viewer.querySelectorAll("input[type=range]")];
    const panels = [...viewer.querySelectorAll(".panel")].map((panel) => ({
      kind: panel.dataset.kind,
      image: panel.querySelector("img"),
      canvases: [...panel.querySelectorAll("canvas")],
    }));

    function draw() {
      viewer.dataset.at = JSON.stringify(at);
      sliders.forEach((slider, axis) => { slider.value = at[axis]; });
      for (const { kind, voxels, canvases } of panels) {
        canvases.forEach((canvas, n) => drawPlane(canvas, voxels, shape, at, PLANES[n], kind));
      }
    }

    function move(event, canvas, [, across, up]) {
      const frame = canvas.getBoundingClientRect();
      const part = [(event.clientX - frame.left) / frame.width, 1 - (event.clientY - frame.top) / frame.height];
      [across, up].forEach((axis, n) => {
        at[axis] = Math.max(0, Math.min(shape[axis] - 1, Math.floor(part[n] * shape[axis])));
      });
      draw();
    }

    Promise.all(panels.map(({ image }) => image.decode())).then(() => {
      for (const panel of panels) {
        panel.voxels = voxelsOf(panel.image, shape);
        panel.canvases.forEach((canvas, n) => {
          canvas.width = shape[PLANES[n][1]];
          canvas.height = shape[PLANES[n][2]];
          canvas.addEventListener("pointerdown", (event) => move(event, canvas, PLANES[n]));
          canvas.addEventListener("pointermove", (event) => { if (event.buttons) move(event, canvas, PLANES[n]); });
        });
      }
      sliders.forEach((slider, axis) => slider.addEventListener("input", () => { at[axis] = Number(slider.value); draw(); }));
      viewer.hidden = false;
      draw();
    });
  }

  document.querySelectorAll(".viewer").forEach(start);
})();
