// Plays the steps one after the other.

const SHOWN_ONCE_S = 4; // how long the forming takes that one sees first

export class Player {
  /**
   * @param {import("./store.js").Store<import("./state.js").State>} store
   * @param {(index: number) => void} goToIndex
   * @param {() => void} onStop
   */
  constructor(store, goToIndex, onStop) {
    this.store = store;
    this.goToIndex = goToIndex;
    this.onStop = onStop;
    /** @type {number | null} */
    this.frame = null;
  }

  toggle() {
    if (this.frame === null) this.play();
    else this.stop();
  }

  play() {
    const { recording, index } = this.store.state;
    if (!recording || recording.steps.length < 2 || this.frame !== null) return;
    if (index === recording.steps.length - 1) this.goToIndex(0);
    this.store.update({ isPlaying: true });
    let due = performance.now() + 1000 / this.store.state.speed;
    const draw = (/** @type {number} */ now) => {
      if (this.frame === null) return;
      const { speed, index: at, recording: played, isLooping, view } = this.store.state;
      const last = (played?.steps.length ?? 0) - 1;
      if (document.hidden || view.view === "overview" || (at >= last && !isLooping)) {
        this.stop();
        return;
      }
      if (now >= due) {
        const passed = Math.max(1, Math.floor(((now - due) * speed) / 1000) + 1);
        due += (passed * 1000) / speed;
        this.goToIndex(at >= last ? 0 : at + passed);
      }
      this.frame = requestAnimationFrame(draw);
    };
    this.frame = requestAnimationFrame(draw);
  }

  stop() {
    if (this.frame === null) return;
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.store.update({ isPlaying: false });
    this.onStop();
  }

  /** The forming, for somebody who has just come; as fast as it takes a few seconds. */
  showOnce() {
    const { recording } = this.store.state;
    if (!recording || recording.steps.length < 3 || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const speeds = [2, 5, 10, 30, 60];
    const speed = speeds.find((one) => one >= recording.steps.length / SHOWN_ONCE_S) ?? 60;
    this.store.update({ speed });
    this.play();
  }
}
