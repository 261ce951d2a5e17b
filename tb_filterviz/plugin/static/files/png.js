// A canvas as a PNG.

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>}
 */
export function canvasPng(canvas) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error(`the browser makes no PNG of ${canvas.width} x ${canvas.height} pixels`));
    }, "image/png");
  });
}
