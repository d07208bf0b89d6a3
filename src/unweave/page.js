/*
 * All players in step.
 *
 * A page that was opened from a disc may not read the sounds into the browser's mixer, so each part has a player of its
 * own. One that is heard is the clock; every other one is held to it: small distances are closed by playing a little
 * faster or slower for a moment, large ones by a jump. Parts that are not heard run along, so that solo and mute act at
 * once. They are turned down to -100 dB and not muted: browsers take a muted player off the sound card and let it run by
 * another clock, so that it would come back some 40 ms beside the others. Where a page may not set the volume (iOS),
 * they are muted all the same.
 */
(() => {
  "use strict";
  const JUMP = 0.15;    /* seconds: from here on a player is set to the clock's time */
  const NEAR = 0.004;   /* seconds: near enough; the clock itself is read no more exactly than this */
  const CHECK = 50;     /* milliseconds between two looks at the clock */
  const SILENCE = 1e-5; /* -100 dB */

  const root = document.documentElement;
  const find = (name) => document.getElementById(name);
  const play = find("play"), loop = find("loop"), position = find("position"), now = find("now"), total = find("total");
  const status = find("status");
  const rows = Array.from(document.querySelectorAll(".part"), (element) => ({
    element,
    audio: element.querySelector("audio"),
    solo: element.querySelector(".solo"),
    mute: element.querySelector(".mute"),
    level: element.querySelector(".volume"),
    problem: element.querySelector(".problem"),
    original: element.classList.contains("original"),
    broken: false,
    sounds: false,
  }));
  const probe = document.createElement("audio");
  probe.volume = 0.5;
  const volumes = probe.volume === 0.5; /* whether a page may set the volume */
  let wanted = false;    /* whether the user wants to hear something */
  let attempt = 0;       /* counts starts, so that a late answer of an older one is ignored */
  let dragging = false;
  let timer = 0;
  let settled = 0;       /* when all players have surely begun */

  const working = () => rows.filter((row) => !row.broken);
  let master = null;     /* the row whose player is the clock; it stays so while it is heard */
  const clock = () => {
    const able = working();
    if (!master || master.broken || !master.sounds) {
      master = able.find((row) => row.sounds) || (master && !master.broken ? master : able[0]) || null;
      if (master) master.audio.playbackRate = 1;
    }
    return master ? master.audio : undefined;
  };
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, value) => button.setAttribute("aria-pressed", String(value));
  const length = () => { const audio = clock(); return audio && isFinite(audio.duration) ? audio.duration : 0; };
  const text = (seconds) => {
    const tenths = Math.floor(seconds * 10 + 1e-6);
    const rest = tenths % 600;
    return Math.floor(tenths / 600) + ":" + String(Math.floor(rest / 10)).padStart(2, "0") + "." + (rest % 10);
  };

  /* Who sounds: the original alone, or the soloed parts, or all that are not muted. */
  function mix() {
    const original = rows.find((row) => row.original && !row.broken && pressed(row.solo));
    const anySolo = rows.some((row) => !row.original && !row.broken && pressed(row.solo));
    for (const row of rows) {
      let sounds;
      if (row.original) sounds = row === original;
      else sounds = !original && !pressed(row.mute) && (!anySolo || pressed(row.solo));
      row.sounds = sounds;
      const volume = (row.level.value / 100) ** 2; /* the square is nearer to what an ear calls half as loud */
      row.audio.volume = sounds ? Math.max(volume, SILENCE) : SILENCE;
      row.audio.muted = !volumes && !sounds;
      row.element.classList.toggle("silent", !sounds);
    }
  }

  function show() {
    const audio = clock(), seconds = length(), at = audio ? audio.currentTime : 0;
    now.textContent = text(at);
    total.textContent = text(seconds);
    root.style.setProperty("--at", seconds ? Math.min(at / seconds, 1) : 0);
    if (!dragging) position.value = seconds ? Math.round((at / seconds) * 1000) : 0;
    position.setAttribute("aria-valuetext", text(at) + " of " + text(seconds));
    if (wanted) requestAnimationFrame(show);
  }

  function hold() {
    const lead = clock();
    if (!lead || lead.paused || lead.seeking || performance.now() < settled) return;
    for (const row of working()) {
      const audio = row.audio;
      if (audio === lead || audio.seeking) continue;
      if (audio.ended || audio.currentTime >= audio.duration) continue;
      if (audio.paused) { audio.play().catch(() => {}); continue; }
      const late = lead.currentTime - audio.currentTime;
      if (Math.abs(late) > JUMP) {
        audio.playbackRate = 1;
        audio.currentTime = lead.currentTime;
      } else if (Math.abs(late) > NEAR) {
        audio.playbackRate = 1 + Math.max(-0.1, Math.min(0.1, late * 3));
      } else if (audio.playbackRate !== 1) {
        audio.playbackRate = 1;
      }
    }
  }

  function ready(audio, state) {
    if (audio.readyState >= state || audio.error) return Promise.resolve();
    return new Promise((done) => {
      const events = ["canplay", "canplaythrough", "seeked", "error"];
      const look = () => {
        if (audio.readyState < state && !audio.error) return;
        events.forEach((name) => audio.removeEventListener(name, look));
        done();
      };
      events.forEach((name) => audio.addEventListener(name, look));
      setTimeout(() => { events.forEach((name) => audio.removeEventListener(name, look)); done(); }, 5000);
    });
  }

  function label() {
    play.textContent = wanted ? "Pause" : "Play";
    press(play, wanted);
  }

  async function start() {
    const mine = ++attempt;
    wanted = true;
    label();
    const from = length() && clock().currentTime >= length() - 0.01 ? 0 : (clock() ? clock().currentTime : 0);
    for (const row of working()) {
      row.audio.playbackRate = 1;
      if (row.audio.currentTime !== from) row.audio.currentTime = from;
    }
    await Promise.all(working().map((row) => ready(row.audio, 3)));
    if (mine !== attempt) return;
    const results = await Promise.allSettled(working().map((row) => row.audio.play()));
    if (mine !== attempt) return;
    const refused = results.find((result) => result.status === "rejected" && result.reason.name === "NotAllowedError");
    if (!working().length || refused) { stop(); return; }
    clearInterval(timer);
    settled = performance.now() + 200;
    timer = setInterval(hold, CHECK);
    show();
  }

  function stop() {
    attempt += 1;
    wanted = false;
    clearInterval(timer);
    for (const row of rows) { row.audio.pause(); row.audio.playbackRate = 1; }
    const lead = clock();
    if (lead) for (const row of working()) if (row.audio !== lead) row.audio.currentTime = lead.currentTime;
    label();
    show();
  }

  function seek(share) {
    const to = Math.max(0, Math.min(1, share)) * length();
    const again = wanted;
    attempt += 1;
    for (const row of working()) { row.audio.pause(); row.audio.currentTime = to; }
    if (again) start(); else show();
  }

  function giveUp(row) {
    if (row.broken) return;
    row.broken = true;
    row.problem.hidden = false;
    row.solo.disabled = true;
    row.level.disabled = true;
    if (row.mute) row.mute.disabled = true;
    press(row.solo, false);
    mix();
    usable();
  }

  /* Nothing to be played is said once, and the transport is not offered. */
  function usable() {
    const any = working().length > 0;
    play.disabled = loop.disabled = position.disabled = !any;
    status.textContent = any ? "" : "This browser can play none of these files.";
    status.hidden = any;
    if (!any && wanted) stop();
  }

  for (const row of rows) {
    const toggle = (button) => button && button.addEventListener("click", () => { press(button, !pressed(button)); mix(); });
    toggle(row.solo);
    toggle(row.mute);
    row.level.addEventListener("input", mix);
    row.audio.preservesPitch = false; /* a short change of speed costs least without the stretching of time */
    row.audio.addEventListener("error", () => giveUp(row));
    if (row.audio.error) giveUp(row);
    row.audio.addEventListener("loadedmetadata", show);
    row.audio.addEventListener("ended", () => {
      if (row.audio !== clock() || !wanted) return;
      if (pressed(loop)) seek(0); else stop();
    });
    const strip = row.element.querySelector(".strip");
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      if (length()) seek((event.clientX - box.left) / box.width);
    });
  }

  play.addEventListener("click", () => (wanted ? stop() : start()));
  loop.addEventListener("click", () => press(loop, !pressed(loop)));
  position.addEventListener("input", () => {
    dragging = true;
    now.textContent = text((position.value / 1000) * length());
  });
  position.addEventListener("change", () => { dragging = false; seek(position.value / 1000); });
  document.addEventListener("keydown", (event) => {
    if (event.code !== "Space" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest && event.target.closest("button, a, summary")) return; /* space presses these */
    event.preventDefault();
    if (!play.disabled && !event.repeat) play.click();
  });

  root.classList.add("js");
  for (const row of rows) row.audio.controls = false;
  mix();
  usable();
  show();
})();
