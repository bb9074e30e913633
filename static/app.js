// Rekindle's own script: comforts only. Every page works without it, except that nothing follows by itself.
// All listeners sit on the document, so they hold for content that htmx brings later.
(() => {
  'use strict';
  const root = document.documentElement;
  root.setAttribute('data-js', '');

  // The server writes times in the viewer's zone too; it learns the zone from this cookie.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    document.cookie = `tz=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  }

  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

  // Copy buttons: <button data-copy="text">
  const copyText = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    const area = document.createElement('textarea'); // plain http on a name that is not localhost
    area.value = text;
    area.setAttribute('readonly', '');
    area.className = 'offscreen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw new Error('copy refused');
  };
  const say = (text) => {
    const place = document.getElementById('said');
    if (place) place.textContent = text;
  };
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    event.preventDefault();
    try {
      await copyText(button.dataset.copy);
      button.classList.add('copied');
      say('Copied.');
    } catch {
      say('The browser did not allow copying. Select the text and copy it by hand.');
    }
    setTimeout(() => button.classList.remove('copied'), 1600);
    button.focus();
  });

  // Colours are switched in place: loading the page again would empty a form that is being filled in.
  document.addEventListener('submit', (event) => {
    const form = event.target.closest('form[data-theme-switch]');
    if (!form || !event.submitter) return;
    event.preventDefault();
    const theme = event.submitter.value;
    root.dataset.theme = theme;
    for (const button of all('button', form)) button.setAttribute('aria-pressed', String(button.value === theme));
    const failed = () => say('The console could not keep the choice of colours.');
    fetch(form.action, { method: 'POST', body: new URLSearchParams({ theme }), redirect: 'manual' })
      .then((answer) => { if (answer.status >= 400) failed(); }, failed);
  });

  // Menus are <details>: one open at a time, closed by Escape and by a click elsewhere.
  const menus = () => all('details.menu[open]');
  document.addEventListener('click', (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      for (const menu of menus()) {
        const inside = menu.contains(document.activeElement);
        menu.open = false;
        if (inside) menu.querySelector('summary').focus();
      }
      return;
    }
    const field = event.target.closest?.('input, textarea, select, [contenteditable], dialog');
    if (field || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
    if (key(event.key)) event.preventDefault();
  });

  // Single keys: / searches, ? lists them, and g with a letter goes to a page of the navigation. Who dictates text turns them off.
  const keysOn = () => { try { return localStorage.getItem('keys') !== 'off'; } catch { return true; } };
  let going; // g was pressed a moment ago
  const key = (pressed) => {
    const page = going && document.querySelector(`a[data-go="${CSS.escape(pressed)}"]`);
    clearTimeout(going);
    going = undefined;
    if (page) {
      page.click();
    } else if (pressed === 'g') {
      going = setTimeout(() => { going = undefined; }, 1500);
    } else if (pressed === '?') {
      showKeys();
    } else if (pressed === '/') {
      const search = document.querySelector('[data-search]');
      if (!search) return false;
      search.focus();
      search.select();
    } else {
      return false;
    }
    return true;
  };
  const showKeys = () => {
    const list = document.getElementById('keyboard');
    if (!list || list.open) return;
    list.querySelector('[data-keys-on]').checked = keysOn();
    list.showModal();
  };
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-keys]')) return;
    for (const menu of menus()) menu.open = false;
    showKeys();
  });
  document.addEventListener('change', (event) => {
    if (!event.target.matches('[data-keys-on]')) return;
    try {
      if (event.target.checked) localStorage.removeItem('keys');
      else localStorage.setItem('keys', 'off');
    } catch { /* a browser that keeps nothing: they stay on */ }
  });

  // What is found shows below the search field while somebody is there; the arrow keys go through it.
  const inSearch = (e) => Boolean(e?.closest?.('[data-search-form]'));
  const showFound = (yes) => {
    const box = document.getElementById('hits-below');
    if (box) box.hidden = !yes || box.childElementCount === 0;
  };
  document.addEventListener('focusin', (event) => {
    if (event.target.matches('[data-search]') && window.htmx) window.htmx.trigger(event.target, 'look');
    else if (!inSearch(event.target)) showFound(false);
  });
  document.addEventListener('click', (event) => { if (!inSearch(event.target)) showFound(false); });
  document.addEventListener('htmx:after:swap', () => {
    if (!inSearch(document.activeElement)) return;
    showFound(true);
    const hits = document.querySelector('#hits-below [data-count]');
    if (hits && document.querySelector('[data-search]').value) say(hits.dataset.count === '1' ? '1 found.' : `${hits.dataset.count} found.`);
  });
  document.addEventListener('keydown', (event) => {
    if (!inSearch(event.target)) return;
    const stops = [document.querySelector('[data-search]'), ...all('#hits-below a')];
    const at = stops.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (event.key === 'Escape') {
      stops[0].focus();
      showFound(false);
    } else if (to !== undefined) {
      event.preventDefault();
      stops[Math.max(0, Math.min(to, stops.length - 1))].focus();
    }
  });

  // A timeline is one stop of the Tab key: the arrow keys go through its bars, Home and End to its ends, and Enter follows the bar's link.
  const barsOf = (timeline) => all('a.hour', timeline);
  const oneStop = () => {
    for (const timeline of all('svg[data-bars]')) {
      const bars = barsOf(timeline);
      const stop = bars.find((bar) => bar === document.activeElement) || bars.find((bar) => bar.classList.contains('hour-chosen'))
        || bars.findLast((bar) => bar.querySelector('.hour-bar')) || bars.at(-1);
      for (const bar of bars) bar.setAttribute('tabindex', bar === stop ? '0' : '-1');
    }
  };
  oneStop();
  document.addEventListener('htmx:after:swap', oneStop);
  document.addEventListener('keydown', (event) => {
    const timeline = event.target.closest?.('svg[data-bars]');
    if (!timeline || event.ctrlKey || event.metaKey || event.altKey) return;
    const bars = barsOf(timeline);
    const at = bars.indexOf(event.target.closest('a.hour'));
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: bars.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    bars[Math.max(0, Math.min(to, bars.length - 1))].focus();
    oneStop();
  });

  // Lists: a box in the head selects the page's rows; the bar tells how many.
  const syncSelection = (form) => {
    const boxes = all('input[data-select]', form);
    const chosen = boxes.filter((box) => box.checked).length;
    const head = form.querySelector('input[data-select-all]');
    if (head) {
      head.checked = chosen > 0 && chosen === boxes.length;
      head.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    const every = form.querySelector('input[data-select-matching]');
    const matching = every && every.checked;
    const label = form.querySelector('[data-selected]');
    if (label) {
      label.textContent = matching ? `All ${every.dataset.total} that match are selected`
        : chosen === 0 ? '' : `${chosen} selected`;
    }
    const any = chosen > 0 || Boolean(matching);
    form.toggleAttribute('data-chosen', any);
    for (const button of all('.selection-actions button', form)) button.disabled = !any;
  };
  const syncAll = () => all('form[data-selection]').forEach(syncSelection);
  document.addEventListener('change', (event) => {
    const form = event.target.closest?.('form[data-selection]');
    if (!form) return;
    if (event.target.matches('[data-select-all]')) {
      for (const box of all('input[data-select]', form)) box.checked = event.target.checked;
    }
    syncSelection(form);
  });

  // A slider beside a number: <input type=range data-couple="id of the number">
  document.addEventListener('input', (event) => {
    const field = event.target;
    if (field.dataset?.couple) {
      const number = document.getElementById(field.dataset.couple);
      if (number) {
        number.value = field.value;
        number.dispatchEvent(new Event('change', { bubbles: true }));
      }
    } else if (field.id) {
      const slider = document.querySelector(`[data-couple="${CSS.escape(field.id)}"]`);
      if (slider) slider.value = field.value;
    }
  });

  // Fields that matter for one choice only: <div data-when="auth=given">. The server ignores them otherwise.
  const syncWhen = () => {
    for (const part of all('[data-when]')) {
      const [name, value] = part.dataset.when.split('=');
      const form = part.closest('form');
      const field = form && form.elements[name];
      if (!field) continue;
      const current = field.type === 'checkbox' ? (field.checked ? 'on' : 'off') : field.value;
      part.classList.toggle('unneeded', !value.split('|').includes(current));
    }
  };
  document.addEventListener('change', syncWhen);

  // A link to a field leads to it also where its section is folded.
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#f-"]');
    const field = link && document.getElementById(link.getAttribute('href').slice(1));
    if (!field) return;
    for (let part = field.closest('details'); part; part = part.parentElement.closest('details')) part.open = true;
    event.preventDefault();
    field.focus();
    field.scrollIntoView({ block: 'center' });
  });

  // The clock at the top ticks on from the server's time.
  let clocks = [];
  const startClocks = () => {
    const read = Date.now();
    clocks = all('[data-clock]').map((e) => ({ e, ahead: Number(e.dataset.clock) - read, zone: e.dataset.zone }));
  };
  const tick = () => {
    for (const { e, ahead, zone: timeZone } of clocks) {
      try {
        const parts = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
        const text = parts.format(new Date(Date.now() + ahead));
        if (e.textContent !== text) e.textContent = text;
      } catch { /* a zone that this browser does not know: the server's time stays */ }
    }
    if (clocks.length > 0) age(Date.now() + clocks[0].ahead);
  };

  // So do the ages on the page, in the server's words: <time datetime="..." data-ago>9 hours ago</time>
  const units = [['second', 1, 60], ['minute', 60, 3600], ['hour', 3600, 48 * 3600], ['day', 86400, 60 * 86400], ['month', 30 * 86400, Infinity]];
  const span = (seconds) => {
    const [unit, length] = units.find(([, , below]) => seconds < below);
    const n = Math.floor(seconds / length);
    return `${n.toLocaleString('en-US')} ${unit}${n === 1 ? '' : 's'}`;
  };
  const ago = (seconds) => (seconds > -1 && seconds < 5 ? 'just now' : seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`);
  const age = (now) => {
    for (const e of all('time[data-ago]')) {
      const text = ago((now - Date.parse(e.dateTime)) / 1000);
      if (e.textContent !== text) e.textContent = text;
    }
  };

  // When the console does not answer, say that the page may be out of date.
  const lost = (yes) => {
    const bar = document.getElementById('lost');
    if (bar) bar.hidden = !yes;
  };
  document.addEventListener('htmx:error', () => lost(true));
  document.addEventListener('htmx:after:request', (event) => {
    const status = event.detail?.ctx?.response?.status;
    if (status) lost(status >= 500);
  });

  // Work that ends while the page is open is said once. The message that announced it goes then, or as soon as there is a card of it. What had ended
  // before is on the page to be read.
  const told = new Set();
  const endings = (aloud) => {
    const news = [];
    for (const { dataset: { run, ended } } of all('[data-ended]')) {
      if (!told.has(run)) news.push(ended);
      told.add(run);
    }
    if (!aloud) return;
    if (news.length > 0) say(news.join(' '));
    const going = document.querySelector('[data-going]');
    if (!going) return;
    const { dataset: { going: run } } = going;
    if (told.has(run) || document.getElementById(`run-${run}`) || !document.querySelector('#main[data-work]')) going.remove();
  };

  // A hidden tab asks for nothing, and has what it missed as soon as it is looked at. What is there no longer is told by the page itself.
  document.addEventListener('htmx:before:request', (event) => {
    if (event.target.id === 'main' && document.hidden) event.preventDefault();
  });
  document.addEventListener('visibilitychange', () => {
    const main = document.querySelector('#main[hx-trigger]');
    if (main && !document.hidden && window.htmx) window.htmx.trigger(main, 'awake');
  });
  document.addEventListener('htmx:after:request', (event) => {
    if (event.target.id === 'main' && event.detail?.ctx?.response?.status === 404) location.reload();
  });

  const start = () => { endings(false); syncAll(); syncWhen(); startClocks(); setInterval(tick, 5000); };
  document.addEventListener('htmx:after:swap', () => {
    syncAll();
    syncWhen();
    endings(true);
    const news = document.querySelector('[data-say]'); // what was asked for has come
    if (news && news.dataset.say !== 'said') {
      news.dataset.say = 'said';
      say(news.textContent);
    }
  });
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
