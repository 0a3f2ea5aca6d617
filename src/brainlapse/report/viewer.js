// Linked planes: a click, a drag or a slider moves the cross in every volume of its viewer. No request leaves the page.
(() => {
  "use strict";
  // A volume's axes run to the right, the front and the top. Of a plane: the axis across, the one up, the one it cuts.
  const PLANES = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] };

  function pixelsOf(image) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  }

  function start(viewer) {
    const { shape, columns, begin } = JSON.parse(viewer.dataset.volumes);
    const at = [...begin];
    const sliders = [...viewer.querySelectorAll("input[type=range]")];
    const panels = [...viewer.querySelectorAll(".panel")];

    // Where a voxel lies in its mosaic of axial slices, whose fronts are on top.
    function placeOf([right, front, top]) {
      const row = Math.floor(top / columns) * shape[1] + shape[1] - 1 - front;
      return (row * columns + (top % columns)) * shape[0] + right;
    }

    function drawPlane(canvas, pixels) {
      const [across, up] = PLANES[canvas.dataset.plane];
      const picture = new ImageData(shape[across], shape[up]);
      const drawn = new Uint32Array(picture.data.buffer);
      const voxel = [...at];
      let n = 0;
      for (voxel[up] = shape[up] - 1; voxel[up] >= 0; voxel[up]--) {
        for (voxel[across] = 0; voxel[across] < shape[across]; voxel[across]++) drawn[n++] = pixels[placeOf(voxel)];
      }
      canvas.getContext("2d").putImageData(picture, 0, 0);
      // The cross is drawn by the style sheet, through the middle of the voxel.
      canvas.parentElement.style.setProperty("--across", (at[across] + 0.5) / shape[across]);
      canvas.parentElement.style.setProperty("--down", 1 - (at[up] + 0.5) / shape[up]);
    }

    function draw() {
      viewer.dataset.at = JSON.stringify(at);
      sliders.forEach((slider, axis) => { slider.value = at[axis]; });
      panels.forEach(({ pixels, canvases }) => canvases.forEach((canvas) => drawPlane(canvas, pixels)));
    }

    function point(event) {
      const [across, up] = PLANES[event.target.dataset.plane];
      const frame = event.target.getBoundingClientRect();
      const part = [(event.clientX - frame.left) / frame.width, 1 - (event.clientY - frame.top) / frame.height];
      [across, up].forEach((axis, n) => {
        at[axis] = Math.max(0, Math.min(shape[axis] - 1, Math.floor(part[n] * shape[axis])));
      });
      draw();
    }

    function listen(canvas) {
      const [across, up] = PLANES[canvas.dataset.plane];
      [canvas.width, canvas.height] = [shape[across], shape[up]];
      canvas.addEventListener("pointerdown", point);
      canvas.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
    }

    for (const panel of panels) {
      panel.pixels = pixelsOf(panel.querySelector("img"));
      panel.canvases = [...panel.querySelectorAll("canvas")];
      panel.canvases.forEach(listen);
    }
    sliders.forEach((slider, axis) => slider.addEventListener("input", () => { at[axis] = Number(slider.value); draw(); }));
    viewer.hidden = false;
    draw();
  }

  // Volumes are unpacked when somebody opens their viewer, not before; by then the page's pictures are loaded.
  function prepare(look) {
    const open = () => start(look.querySelector(".viewer"));
    if (look.open) open();
    else look.addEventListener("toggle", open, { once: true });
  }

  addEventListener("load", () => document.querySelectorAll(".look").forEach(prepare));
})();
