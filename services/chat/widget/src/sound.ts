// A short sound, made here: a file would need a permission of the page. Browsers allow it after a gesture only.

let audio: AudioContext | undefined;

let asked = false;

/**
 * unlock is called from a gesture. A browser may need a tenth of a second to get ready for sound, so what the gesture was for is
 * shown first; until then it remembers the gesture.
 */
export function unlock(): void {
  if (asked || audio?.state === 'running') return;
  asked = true;
  requestAnimationFrame(() => setTimeout(begin));
}

function begin(): void {
  if (!asked) return; // silenced meanwhile
  asked = false;
  try {
    audio ??= new AudioContext();
    if (audio.state === 'suspended') audio.resume().catch(() => undefined);
  } catch {
    // no sound here
  }
}

export function chime(): void {
  if (!audio || audio.state !== 'running') return;
  const now = audio.currentTime;
  [660, 880].forEach((pitch, i) => {
    const tone = (audio as AudioContext).createOscillator();
    const volume = (audio as AudioContext).createGain();
    const at = now + i * 0.12;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.08, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    tone.connect(volume).connect((audio as AudioContext).destination);
    tone.start(at);
    tone.stop(at + 0.32);
  });
}

export function silence(): void {
  asked = false;
  audio?.close().catch(() => undefined);
  audio = undefined;
}
