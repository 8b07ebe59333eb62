"use strict";
// The console's page. It asks the API for what the view at hand needs, while the page can be seen, and writes what it
// gets as text. Rows, cells and values are updated in place, so that a selection stays.

const byID = id => document.getElementById(id);
const store = { get(k) { try { return localStorage.getItem("ringo." + k); } catch { return null; } },
	set(k, v) { try { localStorage.setItem("ringo." + k, v); } catch { /* it is forgotten */ } } };

// ---- texts

const nf = new Intl.NumberFormat("en-US");
const count = n => nf.format(Math.round(n));
function short(n) {
	if (n < 10) return n < 0.05 ? "0" : String(+n.toFixed(1));
	if (n < 1e4) return count(n);
	return n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + " k" : (n / 1e6).toFixed(n < 1e7 ? 2 : 1) + " M";
}
function three(x) { return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2); }
function dur(ns) {
	if (!ns) return "0";
	if (ns < 1e3) return ns.toFixed(0) + " ns";
	if (ns < 1e6) return three(ns / 1e3) + " µs";
	if (ns < 1e9) return three(ns / 1e6) + " ms";
	return age(ns);
}
function age(ns) {
	const s = ns / 1e9;
	if (!ns) return "";
	if (s < 60) return s.toFixed(s < 10 ? 1 : 0) + " s";
	if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
	if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
	return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}
function bytes(n) {
	if (n < 1024) return n + " B";
	for (const unit of ["KiB", "MiB", "GiB"]) {
		n /= 1024;
		if (n < 1024 || unit === "GiB") return three(n) + " " + unit;
	}
}
const percent = x => (100 * x).toFixed(x < 0.0995 ? 1 : 0) + " %";
// brief is a function's name without the path of its package.
const brief = name => name.replace(/^[^ ()]*\//, "");
const some = n => n ? count(n) : "";

// ---- elements

function el(tag, cls, ...children) {
	const e = document.createElement(tag);
	if (cls) e.className = cls;
	e.append(...children);
	return e;
}
function svg(tag, attrs) {
	const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const k in attrs) e.setAttribute(k, attrs[k]);
	return e;
}
function say(e, text) { if (e.textContent !== text) e.textContent = text; }

// part gives the child of a parent for a key, made once.
function part(parent, key, make) {
	const parts = parent.parts || (parent.parts = new Map());
	let e = parts.get(key);
	if (!e) {
		e = make();
		parts.set(key, e);
		parent.append(e);
	}
	e.turn = turn;
	return e;
}
// sweep removes the parts that were not asked for in this turn.
function sweep(parent) {
	for (const [key, e] of parent.parts || []) {
		if (e.turn !== turn) { e.remove(); parent.parts.delete(key); }
	}
}
let turn = 0;

// ---- what is asked, and what came

const views = [
	["loops", "Loops"], ["tasks", "Tasks"], ["handles", "Connections"], ["ops", "Operations"], ["lanes", "Lanes and pools"],
	["holds", "Holds"], ["driver", "Driver"],
];
const lists = { tasks: "-since", handles: "-age", ops: "fd", holds: "" };
const state = {
	view: "loops", sort: { ...lists }, filter: "", loop: "", paused: false, row: "", open: false, now: {}, past: [], probe: null,
};
const pastMax = 61;

async function ask(name, params) {
	const query = new URLSearchParams();
	for (const k in params) if (params[k] !== "") query.set(k, params[k]);
	const text = query.toString();
	const r = await fetch("api/" + name + (text ? "?" + text : ""), { cache: "no-store" });
	const answer = await r.json();
	if (!r.ok) throw new Error(answer.error || r.statusText);
	return answer;
}

let asking = null, timer = 0;
async function poll() {
	clearTimeout(timer);
	if (asking) asking.again = true;
	if (asking || document.hidden || state.paused) return;
	const mine = asking = { again: false };
	let pause = 1000;
	try {
		const view = state.view, loop = state.loop, begun = performance.now();
		const wants = { loops: ask("loops", {}) };
		if (view in lists) {
			wants[view] = view === "holds" ? ask(view, { filter: state.filter, loop }) :
				ask(view, { sort: state.sort[view], filter: state.filter, loop, n: 200 });
		}
		if (view === "driver" && !state.probe) wants.probe = ask("probe", {});
		const got = {};
		for (const k in wants) { wants[k].catch(() => {}); }
		got.loops = await wants.loops;
		remember(got.loops);
		for (const k in wants) got[k] = await wants[k];
		if (got.probe) state.probe = got.probe;
		state.now = got;
		if (view === state.view && !mine.again) render();
		const h = got.loops.loops.filter(isHeld);
		if (h.length) lamp("held", "loop " + h[0].loop + " " + heldText(h[0]) + (h.length > 1 ? ", and " + (h.length - 1) + " more" : ""));
		else lamp("live", "live");
		const most = Math.max(0, ...Object.values(got).map(a => a.took || 0)) / 1e6;
		pause = Math.max(1000, 20 * most, 2 * (performance.now() - begun)); // a twentieth of the time at most
	} catch (err) {
		if (/loop=/.test(err.message) && state.loop) state.loop = ""; // it has ended
		lamp("lost", err.message || "no answer");
		pause = 2000;
	}
	asking = null;
	timer = setTimeout(poll, mine.again ? 0 : pause);
}
// A loop that is held does not answer; who holds it is told if that could be seen.
const isHeld = l => l.stats.held > 0;
function heldText(l) {
	const who = l.held && l.held.task ? " by " + brief(l.held.task) : "";
	return "held for " + dur(l.stats.held) + who;
}
function lamp(cls, text) {
	byID("lamp").className = state.paused ? "" : cls;
	byID("said").className = byID("lamp").className === "held" ? "bad" : "";
	say(byID("said"), state.paused ? "paused" : text);
}
function remember(a) {
	a.at = Date.parse(a.now);
	a.by = new Map(a.loops.map(l => [l.loop, l]));
	const before = last(state.past);
	if (before && (before.process.pid !== a.process.pid || before.process.up > a.process.up)) { // it was started again
		state.past = [];
		state.probe = null;
	}
	state.past.push(a);
	if (state.past.length > pastMax) state.past.shift();
}
// rate is how much a counter of a loop has grown a second, between two answers.
function rate(of, loop, i = state.past.length - 1) {
	const a = state.past[i], b = state.past[i - 1];
	const x = a && a.by.get(loop), y = b && b.by.get(loop);
	if (!x || !y || a.at <= b.at) return null;
	return Math.max(0, of(x.stats) - of(y.stats)) / (a.at - b.at) * 1e3;
}
// rates is that of all loops together, for each answer.
function rates(of, loops) {
	return state.past.map((_, i) => {
		let sum = null;
		for (const l of loops) {
			const r = rate(of, l, i);
			if (r !== null) sum = (sum || 0) + r;
		}
		return sum;
	}).filter(r => r !== null);
}
const last = a => a.length ? a[a.length - 1] : null;

// window gives what a histogram of a loop has counted since the oldest answer that is kept.
function windowed(of, loop) {
	const now = of(last(state.past).by.get(loop).stats);
	const first = state.past.find(a => a.by.has(loop));
	if (!now) return null;
	const before = first && first !== last(state.past) ? of(first.by.get(loop).stats) : null;
	const counts = new Map(now.buckets);
	for (const [bound, n] of before ? before.buckets : []) counts.set(bound, counts.get(bound) - n);
	const buckets = [...counts].filter(([, n]) => n > 0).sort((a, b) => (a[0] || Infinity) - (b[0] || Infinity));
	return { buckets, count: buckets.reduce((s, [, n]) => s + n, 0), seconds: before ? (last(state.past).at - first.at) / 1e3 : 0 };
}
function quantile(h, q) {
	let left = q * h.count;
	for (const [bound, n] of h.buckets) if ((left -= n) <= 0) return bound || Infinity;
	return 0;
}
const bound = ns => ns === Infinity ? "> 137 s" : (ns ? "< " + dur(ns) : "–");

// ---- drawings

function spark(box, points) {
	const s = part(box, "spark", () => {
		const s = svg("svg", { class: "spark", viewBox: "0 0 60 16", preserveAspectRatio: "none", "aria-hidden": "true" });
		s.append(svg("path", { class: "area" }), svg("path", {}));
		return s;
	});
	const p = points.slice(-pastMax), top = Math.max(...p, 1e-9), n = Math.max(p.length - 1, 1);
	const line = p.map((v, i) => (60 - 60 * (p.length - 1 - i) / Math.max(n, 30)).toFixed(1) + " " + (15 - 14 * v / top).toFixed(1));
	if (p.length < 2) return;
	s.lastChild.setAttribute("d", "M" + line.join("L"));
	s.firstChild.setAttribute("d", "M" + line.join("L") + "L60 16L" + line[0].split(" ")[0] + " 16Z");
}

// histogram draws counts over sizes from 256 ns to 1 s and more, the heights as logarithms.
const histFrom = 8, histTo = 31;
function histogram(box, h) {
	const s = part(box, "hist", () => svg("svg", { class: "hist", viewBox: "0 0 230 60", preserveAspectRatio: "none", role: "img" }));
	const scale = part(box, "scale", () => {
		const d = el("div", "scale");
		for (const t of ["256 ns", "4 µs", "65 µs", "1 ms", "17 ms", "268 ms", "2 s"]) d.append(el("span", "", t));
		return d;
	});
	scale.hidden = false;
	const top = Math.log10(1 + Math.max(1, ...h.buckets.map(b => b[1])));
	s.replaceChildren(svg("line", { x1: 0, x2: 230, y1: 59.5, y2: 59.5 }));
	for (const [b, n] of h.buckets) {
		const log = b ? Math.log2(b) : histTo, half = Number.isInteger(log) ? 0 : 1; // bounds are powers of two, and between
		const x = 5 * Math.min(2 * (Math.floor(log) - histFrom) + half, 45);
		const height = 56 * Math.log10(1 + n) / top;
		const r = svg("rect", { x, y: 59 - height, width: 4.4, height, class: !b || b > 1e8 ? "stall" : b > 5.1e6 ? "long" : "" });
		const title = svg("title", {});
		title.textContent = (b ? "less than " + dur(b) : "more") + ": " + count(n);
		r.append(title);
		s.append(r);
	}
	s.setAttribute("aria-label", count(h.count) + " turns, half of them " + bound(quantile(h, 0.5)) + ", 99 % " + bound(quantile(h, 0.99)));
}
function tile(box, label, value, unit, points, cls) {
	const t = part(box, label, () => {
		const t = el("div", "tile", el("div", "label", label), el("div", "value", el("span"), el("small")), el("div", "line"));
		t.dataset.tile = label;
		return t;
	});
	say(t.children[1].firstChild, value);
	say(t.children[1].lastChild, unit || "");
	t.children[1].className = "value " + (cls || "");
	if (points) spark(t.children[2], points);
}
function fact(box, label, value, cls) {
	const d = part(box, label, () => {
		const d = el("div", "", el("dt", "", label), el("dd"));
		d.lastChild.dataset.fact = label;
		return d;
	});
	say(d.lastChild, value);
	d.lastChild.className = cls || "";
}

// table shows rows by columns: [label, what of a row, class, name to sort by]. keyOf names a row.
function table(box, id, columns, rows, keyOf, view) {
	const wrap = part(box, id, () => {
		const wrap = el("div", "scroll"), t = el("table", view ? "pick" : ""), head = el("tr");
		for (const [label, , cls, by] of columns) {
			const th = el("th", cls || "");
			th.scope = "col";
			if (by && view) {
				const b = el("button", "", label);
				b.type = "button";
				b.addEventListener("click", () => sortBy(by));
				th.dataset.sort = by;
				th.append(b);
			} else th.append(label);
			head.append(th);
		}
		t.dataset.table = id;
		t.append(el("thead", "", head), el("tbody"));
		if (view) {
			t.tBodies[0].addEventListener("click", e => {
				const tr = e.target.closest("tr");
				if (tr) pick(tr.dataset.key, state.row !== tr.dataset.key || !state.open);
			});
		}
		wrap.append(t);
		return wrap;
	});
	const t = wrap.firstChild, body = t.tBodies[0];
	if (view) for (const th of t.tHead.rows[0].cells) {
		const by = th.dataset.sort, on = state.sort[view].replace("-", "") === by;
		if (by && on) th.setAttribute("aria-sort", state.sort[view][0] === "-" ? "descending" : "ascending");
		else th.removeAttribute("aria-sort");
	}
	while (body.rows.length > rows.length) body.lastChild.remove();
	while (body.rows.length < rows.length) {
		const tr = el("tr");
		for (const [label, , cls] of columns) {
			const td = el("td", cls || "");
			td.dataset.col = label;
			tr.append(td);
		}
		body.append(tr);
	}
	rows.forEach((row, i) => {
		const tr = body.rows[i], key = keyOf ? keyOf(row) : String(i);
		tr.dataset.key = key;
		tr.className = view && key === state.row ? "on" : "";
		columns.forEach(([, of], k) => {
			const v = of(row), td = tr.cells[k];
			if (v instanceof Node) td.replaceChildren(v); else say(td, v === undefined || v === null ? "" : String(v));
		});
	});
	return wrap;
}
function bar(share) {
	const i = el("i");
	i.style.width = Math.min(100, 100 * share).toFixed(1) + "%";
	return el("span", "bar", i);
}
function heading(box, text) { say(part(box, "h " + text, () => el("h2", "", text)), text); }
function note(box, text) { part(box, "note " + text, () => el("p", "note", text)); }
function empty(box, text) { part(box, "empty " + text, () => el("p", "empty", text)); }

// ---- views

const get = {
	turns: s => s.turns, parks: s => s.parks, mails: s => s.mails, busy: s => s.inTasks, kernel: s => s.inKernel, spin: s => s.spinning,
	done: s => s.driver.completions, enters: s => s.driver.enters,
};
const render = () => {
	turn++;
	const a = state.now.loops, p = a.process;
	say(byID("name"), p.name);
	document.title = "Ringo · " + p.name;
	const drivers = [...new Set(a.loops.map(l => l.info.name))].join(", ");
	say(byID("about"), `pid ${p.pid} · ${p.go} ${p.os} · ${a.loops.length} ${a.loops.length === 1 ? "loop" : "loops"}` +
		`${drivers ? " on " + drivers : ""} · ${p.cpus} CPUs · ${count(p.goroutines)} goroutines · ${bytes(p.memory)} · up ${age(p.up)}`);
	const views = byID("view");
	if (views.dataset.view !== state.view) {
		views.replaceChildren();
		views.parts = null;
		views.dataset.view = state.view;
	}
	showTools(a);
	if (!a.loops.length) empty(views, "No loop runs in this process now.");
	else draw[state.view](views, state.now);
	detail(views);
	sweep(views);
	views.dataset.turn = turn;
};
function showTools(a) {
	byID("tools").hidden = !(state.view in lists);
	const select = byID("loop"), names = ["", ...a.loops.map(l => l.loop)];
	if (select.dataset.names !== names.join()) {
		select.dataset.names = names.join();
		select.replaceChildren(...names.map(n => {
			const o = el("option", "", n ? "loop " + n : "all loops");
			o.value = n;
			return o;
		}));
	}
	select.value = state.loop;
	const got = state.now[state.view];
	if (!got || !(state.view in lists)) return;
	const rows = got[state.view].length;
	say(byID("count"), (got.matched === got.total ? count(got.total) : count(got.matched) + " of " + count(got.total)) +
		(rows < got.matched ? ", the first " + rows + " are shown" : ""));
}

const draw = {
	loops(box, { loops: a }) {
		const names = a.loops.map(l => l.loop), sum = of => a.loops.reduce((n, l) => n + of(l.stats), 0);
		const tiles = part(box, "tiles", () => el("div", "tiles"));
		const load = rates(get.busy, names).map(r => r / 1e9 / names.length);
		tile(tiles, "load", load.length ? percent(last(load)) : "…", "", load);
		const turns = rates(get.turns, names), done = rates(get.done, names), parks = rates(get.parks, names);
		tile(tiles, "turns", turns.length ? short(last(turns)) : "…", "/ s", turns);
		tile(tiles, "waits of tasks", parks.length ? short(last(parks)) : "…", "/ s", parks);
		tile(tiles, "completions", done.length ? short(last(done)) : "…", "/ s", done);
		tile(tiles, "tasks", count(sum(s => s.tasks)), "", state.past.map(p => p.loops.reduce((n, l) => n + l.stats.tasks, 0)));
		tile(tiles, "operations", count(sum(s => s.slots)), "in use", state.past.map(p => p.loops.reduce((n, l) => n + l.stats.slots, 0)));
		const longest = Math.max(...a.loops.map(l => l.stats.recent ?? l.stats.longest));
		tile(tiles, "longest turn", dur(longest), a.loops[0].stats.recent === undefined ? "ever" : "lately",
			state.past.map(p => Math.max(0, ...p.loops.map(l => l.stats.recent ?? l.stats.longest))), longest > 1e8 ? "bad" : longest > 5e6 ? "hot" : "");
		const cards = part(box, "cards", () => el("div", "cards"));
		for (const l of a.loops) {
			const c = part(cards, l.loop, () => {
				const c = el("article", "card", el("div", "head", el("h3", "", "Loop " + l.loop), el("span", "soft")));
				c.dataset.loop = l.loop;
				return c;
			});
			drawLoop(c, l);
			sweep(c);
		}
		sweep(cards);
	},
	tasks(box, { tasks: a }) {
		if (!a) return;
		table(box, "groups", [
			["tasks", g => count(g.count), "num"],
			["what they run", g => brief(g.name), "wide"],
			["state", g => g.state, "late"],
			["wait for", g => g.waitOp, "wide"],
			["longest", g => age(g.oldest), "num"],
			["stacks", g => g.stack ? bytes(g.stack) : "", "num late"],
		], a.groups.slice(0, 8));
		table(box, "tasks", [
			["loop", t => t.loop, "late nowrap", "loop"],
			["task", t => t.id || "", "num", "id"],
			["runs", t => brief(t.name), "wide", "name"],
			["state", t => t.state + (t.canceled ? ", cancelled" : ""), "late nowrap", "state"],
			["waits for", t => t.wait || (t.state === "parked" ? "" : t.state), "wide", "wait"],
			["CPU", t => t.ran ? percent(t.ran / 1e6) : "", "num", "ran"],
			["since", t => age(t.since), "num", "since"],
			["age", t => age(t.age), "num late", "age"],
			["stack", t => t.stack ? bytes(t.stack) : "", "num late", "stack"],
		], a.tasks, t => t.loop + "/" + (t.id || t.name), "tasks");
		if (!a.tasks.length) empty(box, state.filter ? "No task matches." : "There are no tasks.");
	},
	handles(box, { handles: a }) {
		if (!a) return;
		if (a.held.length) note(box, "No answer from loop " + a.held.join(", ") + ": a task holds it.");
		const tiles = part(box, "tiles", () => el("div", "tiles"));
		for (const kind of ["conn", "listener", "packet", "pollable", "tail"]) {
			if (a.kinds[kind] || kind === "conn" || kind === "listener") tile(tiles, kind, count(a.kinds[kind] || 0));
		}
		tile(tiles, "unread", bytes(a.unread));
		tile(tiles, "unsent", bytes(a.unsent));
		sweep(tiles);
		table(box, "handles", [
			["loop", h => h.loop, "late nowrap", "loop"],
			["fd", h => h.fd, "num", "fd"],
			["kind", h => h.kind + (h.network && h.network !== "tcp" ? " " + h.network : ""), "nowrap", "kind"],
			["local", h => h.local, "wide late", "local"],
			["peer", h => h.remote, "wide", "remote"],
			["state", h => h.state, "late", "state"],
			["reading", h => h.reading, "nowrap"],
			["writing", h => h.writing, "late nowrap"],
			["unread", h => h.kind === "listener" ? some(h.unread) : h.unread ? bytes(h.unread) : "", "num", "unread"],
			["unsent", h => h.unsent ? bytes(h.unsent) : "", "num late", "unsent"],
			["leases", h => some(h.leases), "num late", "leases"],
			["age", h => age(h.age), "num", "age"],
		], a.handles, h => h.loop + "/" + h.fd + "/" + h.kind, "handles");
		if (!a.handles.length) empty(box, state.filter ? "Nothing matches." : "Nothing is open.");
	},
	ops(box, { ops: a, loops }) {
		if (!a) return;
		if (a.held.length) note(box, "No answer from loop " + a.held.join(", ") + ": a task holds it.");
		const kinds = new Map(a.kinds.map(k => [k.op, { ...k, tried: 0, submitted: 0 }]));
		for (const l of loops.loops) {
			for (const o of l.stats.ops) {
				const k = kinds.get(o.op) || { op: o.op, inFlight: 0, queued: 0, canceled: 0, bytes: 0, tried: 0, submitted: 0 };
				k.tried += o.tried;
				k.submitted += o.submitted;
				if (o.times) (k.times ||= []).push(o.times);
				kinds.set(o.op, k);
			}
		}
		table(box, "kinds", [
			["operation", k => k.op, "nowrap"],
			["in flight", k => count(k.inFlight), "num"],
			["queued", k => some(k.queued), "num late"],
			["lent", k => k.bytes ? bytes(k.bytes) : "", "num late"],
			["plain calls", k => count(k.tried), "num"],
			["submitted", k => count(k.submitted), "num"],
			["half took", k => k.times ? bound(quantile(merged(k.times), 0.5)) : "", "num"],
			["99 % took", k => k.times ? bound(quantile(merged(k.times), 0.99)) : "", "num late"],
		], [...kinds.values()].sort((x, y) => y.inFlight - x.inFlight || y.submitted - x.submitted || (x.op < y.op ? -1 : 1)));
		heading(box, "In flight");
		table(box, "ops", [
			["loop", o => o.loop, "nowrap", "loop"],
			["operation", o => o.op + (o.multishot ? ", multishot" : ""), "nowrap", "op"],
			["fd", o => o.fd < 0 ? "" : o.fd, "num", "fd"],
			["lent", o => o.bytes ? bytes(o.bytes) : "", "num", "bytes"],
			["state", o => o.state + (o.canceled ? ", cancelled" : ""), "nowrap"],
		], a.ops, o => o.loop + "/" + o.fd + "/" + o.op, "ops");
		if (!a.ops.length) empty(box, state.filter ? "Nothing matches." : "Nothing is in flight.");
	},
	lanes(box, { loops: a }) {
		for (const run in a.lanes) {
			const many = Object.keys(a.lanes).length > 1;
			heading(box, "Lanes: calls on ordinary goroutines" + (many ? ", Run " + run : ""));
			table(box, "lanes " + run, [
				["lane", n => n.name, "nowrap"],
				["running", n => el("span", "", bar(n.running / n.max), count(n.running) + " of " + count(n.max)), "nowrap"],
				["waiting", n => some(n.waiting), "num"],
				["first for", n => n.oldest ? dur(n.oldest) : "", "num"],
				["have waited", n => count(n.waited), "num late"],
				["longest", n => n.longest ? dur(n.longest) : "", "num late"],
				["99 % waited", n => n.waits && n.waits.count ? bound(n.waits.p99) : "", "num late"],
			], a.lanes[run]);
		}
		heading(box, "What loops have");
		table(box, "pools", [
			["loop", l => l.loop, "nowrap"],
			["tasks", l => count(l.stats.tasks), "num"],
			["coroutines", l => count(l.stats.workers), "num"],
			["idle", l => count(Math.max(0, l.stats.workers - l.stats.tasks)), "num late"],
			["operations", l => count(l.stats.slots), "num"],
			["buffers", l => count(l.stats.buffers), "num"],
			["leases", l => l.stats.leases === undefined ? "" : count(l.stats.leases), "num late"],
			["timers", l => l.stats.timers === undefined ? "" : count(l.stats.timers), "num late"],
			["no buffer", l => count(l.stats.driver.noBuffers), "num late"],
			["backoffs", l => count(l.stats.backoffs), "num late"],
		], a.loops);
		heading(box, "Process");
		const d = part(box, "process", () => el("dl", "facts"));
		fact(d, "heap", bytes(a.process.heap));
		fact(d, "memory", bytes(a.process.memory));
		fact(d, "goroutines", count(a.process.goroutines));
		fact(d, "GOMAXPROCS", count(a.process.gomaxprocs));
	},
	holds(box, { holds: a }) {
		if (!a) return;
		if ((a.present || []).length) {
			heading(box, "Now");
			table(box, "present", [
				["loop", h => h.loop, "late nowrap"],
				["task", h => brief(h.task) || "(no task)", "wide"],
				["at", h => h.at, "late wide"],
				["in", h => h.in, "wide"],
				["state", h => h.state, "late nowrap"],
				["for", h => dur(h.longest), "num bad"],
			], a.present);
			heading(box, "Before");
		}
		table(box, "holds", [
			["loop", h => h.loop, "late nowrap"],
			["task", h => brief(h.task) || "(no task)", "wide"],
			["at", h => h.at, "late wide"],
			["in", h => h.in, "wide"],
			["state", h => h.state, "late nowrap"],
			["times", h => count(h.times), "num"],
			["in all", h => dur(h.total), "num"],
			["longest", h => dur(h.longest), "num"],
		], a.holds, h => [h.loop, h.task, h.at, h.in, h.state].join("/"), "holds");
		if (!a.holds.length) empty(box, state.filter ? "Nothing matches." : "Nothing has held a loop for longer than Config.HoldLimit.");
	},
	driver(box, { loops: a }) {
		const same = new Map();
		for (const l of a.loops) {
			const key = JSON.stringify(l.info);
			if (same.has(key)) same.get(key).push(l); else same.set(key, [l]);
		}
		for (const [key, loops] of groupedDrivers(same)) drawDriver(part(box, key, () => el("div")), loops);
		heading(box, "Driver's counters");
		const names = Object.keys(a.loops[0].stats.driver);
		table(box, "counters", [["counter", n => words(n), "nowrap"], ...a.loops.slice(0, 8).map(l => [l.loop, n => count(l.stats.driver[n]), "num"])], names);
		if (state.probe) drawProbe(part(box, "probe", () => el("div")), state.probe);
	},
};
const words = n => n.replace(/[A-Z]/g, c => " " + c.toLowerCase());
function groupedDrivers(same) {
	const by = new Map();
	for (const loops of same.values()) {
		const i = loops[0].info, key = i.name + i.reason;
		by.set(key, [...(by.get(key) || []), ...loops]);
	}
	return by;
}
function merged(times) {
	const counts = new Map();
	for (const t of times) for (const [b, n] of t.buckets) counts.set(b, (counts.get(b) || 0) + n);
	const buckets = [...counts].sort((a, b) => (a[0] || Infinity) - (b[0] || Infinity));
	return { buckets, count: buckets.reduce((s, b) => s + b[1], 0) };
}
function drawLoop(c, l) {
	const s = l.stats, busy = rate(get.busy, l.loop), kernel = rate(get.kernel, l.loop), spin = rate(get.spin, l.loop);
	const head = c.firstChild;
	say(head.lastChild, l.info.name);
	if (isHeld(l)) {
		const h = l.held, where = h ? [h.at, h.state + (h.in ? " in " + h.in : "")].filter(Boolean).join(", ") : "";
		const p = part(c, "held", () => el("p", "held bad"));
		say(p, heldText(l) + (where ? " (" + where + ")" : "") +
			". It does not answer: what is below was before, but for load, longest turn and stalls.");
		head.after(p);
	}
	const all = (busy || 0) + (kernel || 0) + (spin || 0) || 1, shares = { tasks: busy / all, spin: spin / all, kernel: kernel / all };
	const box = part(c, "share", () => el("div", "share", el("i", "tasks"), el("i", "spin")));
	box.children[0].style.width = percent(shares.tasks || 0).replace(" ", "");
	box.children[1].style.width = percent(shares.spin || 0).replace(" ", "");
	const key = part(c, "key", () => el("div", "key", el("span", "tasks", el("i"), el("b")), el("span", "spin", el("i"), el("b")), el("span", "", el("i"), el("b"))));
	for (const [i, text] of ["in turns " + percent(shares.tasks || 0), "looking for work " + percent(shares.spin || 0),
		"in the kernel, or asleep " + percent(shares.kernel || 0)].entries()) {
		key.children[i].replaceChildren(key.children[i].firstChild, text);
	}
	key.children[1].hidden = !s.spinning;
	spark(part(c, "line", () => el("div")), rates(get.busy, [l.loop]));
	const facts = part(c, "facts", () => el("dl", "facts"));
	const turns = rate(get.turns, l.loop);
	fact(facts, "turns / s", turns === null ? "…" : short(turns));
	const h = s.turnTimes ? windowed(x => x.turnTimes, l.loop) : null;
	fact(facts, "half of turns", h ? bound(quantile(h, 0.5)) : turns ? dur(busy / turns) : "–");
	if (h) fact(facts, "99 % of turns", bound(quantile(h, 0.99)));
	const d = s.delays ? windowed(x => x.delays, l.loop) : null;
	if (d) fact(facts, "99 % of delays", bound(quantile(d, 0.99)));
	fact(facts, "longest lately", dur(s.recent ?? s.longest), (s.recent ?? 0) > 1e8 ? "bad" : (s.recent ?? 0) > 5e6 ? "hot" : "");
	fact(facts, "stalls", count(s.stalls), s.stalls ? "bad" : "");
	fact(facts, "tasks", count(s.tasks));
	fact(facts, "operations", count(s.slots));
	fact(facts, "enters / s", short(rate(get.enters, l.loop) || 0));
	fact(facts, "messages / s", short(rate(get.mails, l.loop) || 0));
	if (h) {
		const box = part(c, "turnTimes", () => el("div", "", el("p", "soft")));
		say(box.firstChild, "Turns by length, " + (h.seconds ? "the last " + Math.round(h.seconds) + " s" : "since the loop began"));
		histogram(box, h);
	}
}
function drawDriver(box, loops) {
	const i = loops[0].info;
	heading(box, i.name);
	say(part(box, "why", () => el("p")), (loops.length > 1 ? "Loops " : "Loop ") + loops.map(l => l.loop).join(", ") + ": " + i.reason);
	const chips = part(box, "features", () => el("ul", "chips"));
	for (const f of i.features || []) part(chips, f, () => el("li", "", f));
	const d = part(box, "facts", () => el("dl", "facts"));
	if (i.entries) fact(d, "entries", count(i.entries));
	fact(d, "lends buffers", i.lends ? "yes" : "no");
	if ((i.ways || []).length) table(box, "ways", [
		["operation", w => w.op, "nowrap"], ["way", w => w.way, "wide"], ["lacks", w => w.lacks, "wide"],
	], i.ways);
}
function drawProbe(box, p) {
	const u = p.uring;
	heading(box, "What io_uring offers here");
	say(part(box, "sum", () => el("p")), u.system + ": " + (u.usable ? "usable" : "not usable"));
	if (u.refusal) note(box, [u.refusal.step, u.refusal.error, u.refusal.hint, ...(u.refusal.advice || [])].filter(Boolean).join(". "));
	for (const [title, offers] of [["checks", u.checks], ["setup flags", u.setup_flags]]) {
		if (!offers) continue;
		say(part(box, "t " + title, () => el("h3")), title);
		const chips = part(box, title, () => el("ul", "chips"));
		for (const o of offers) part(chips, o.name, () => {
			const ok = o.ok, li = el("li", ok ? "" : "no", (ok ? "" : "no ") + o.name.toLowerCase());
			li.title = o.error || "since Linux " + o.since;
			return li;
		});
	}
	for (const [title, names] of [["features", u.features], ["operations that the kernel lacks", u.ops_missing]]) {
		if (!names || !names.length) continue;
		say(part(box, "t " + title, () => el("h3")), title);
		const chips = part(box, title, () => el("ul", "chips"));
		for (const n of names) part(chips, n, () => el("li", "", n));
	}
	for (const d of p.defects) note(box, d.check + " is not used before Linux " + d.until + ": " + d.why);
	if (p.aio) say(part(box, "aio", () => el("p", "soft")), "Native AIO: " + p.aio);
}

// detail shows all of the row that is picked.
function detail(box) {
	const got = state.now[state.view], list = got && state.view in lists ? got[state.view] : null;
	const tr = list && state.open && [...box.querySelectorAll("tr.on")][0];
	if (!tr) return;
	const row = list[tr.sectionRowIndex];
	const d = part(box, "detail", () => el("aside", "detail", el("dl")));
	const pairs = [];
	for (const k in row) {
		const v = row[k], text = /^(age|since|total|longest)$/.test(k) ? dur(v) : k === "stack" ? bytes(v) : String(v);
		if (k === "fd" && v < 0) continue;
		pairs.push(el("div", "", el("dt", "", words(k)), el("dd", /^(in|at|wait|name)$/.test(k) ? "mono" : "", text)));
	}
	d.firstChild.replaceChildren(...pairs);
	box.append(d);
}

// ---- hands

function pick(key, open) {
	state.row = key;
	state.open = open;
	if (state.now.loops) render();
	const tr = document.querySelector("tr.on");
	if (tr) tr.scrollIntoView({ block: "nearest" });
}
function step(by) {
	const rows = [...document.querySelectorAll("table.pick tbody tr")];
	if (!rows.length) return;
	document.activeElement.blur(); // Enter is the row's then
	const at = rows.findIndex(r => r.dataset.key === state.row);
	const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
	pick(rows[next].dataset.key, state.open);
}
function sortBy(by) {
	const v = state.view, was = state.sort[v];
	state.sort[v] = was.replace("-", "") === by ? (was[0] === "-" ? by : "-" + by) : (/^(name|wait|loop|state|kind|local|remote|op|fd|id)$/.test(by) ? "" : "-") + by;
	poll();
}
function nextSort() {
	const names = [...document.querySelectorAll("th[data-sort]")].filter(th => th.offsetParent).map(th => th.dataset.sort);
	if (names.length) sortBy(names[(names.indexOf(state.sort[state.view].replace("-", "")) + 1) % names.length]);
}
function go(view) {
	if (!views.some(v => v[0] === view)) view = "loops";
	if (location.hash !== "#" + view) history.replaceState(null, "", "#" + view);
	if (view !== state.view) {
		state.filter = byID("filter").value = "";
		state.row = "";
		state.open = false;
	}
	state.view = view;
	for (const a of byID("views").children) {
		if (a.dataset.view === view) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
	}
	if (state.now.loops) render();
	poll();
}
function setPaused(on) {
	state.paused = on;
	byID("pause").setAttribute("aria-pressed", String(on));
	say(byID("pause"), on ? "Go on" : "Pause");
	if (on) lamp("", "paused"); else poll();
}
// The system's colours may have changed without the page being told yet: what is shown is asked, and not what it says.
function isDark() {
	const name = document.documentElement.dataset.theme;
	return name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
function setTheme(name) {
	if (name) document.documentElement.dataset.theme = name;
	say(byID("theme"), isDark() ? "Light" : "Dark");
}
function toggleTheme() {
	const name = isDark() ? "light" : "dark";
	store.set("theme", name);
	setTheme(name);
}
function key(e) {
	if (e.ctrlKey || e.metaKey || e.altKey || byID("keys").open) return;
	if (e.target.matches("input, select")) {
		if (e.key !== "Escape" && e.key !== "Enter") return;
		e.target.blur();
		e.preventDefault(); // Escape would empty the filter
		return;
	}
	const n = "1234567".indexOf(e.key);
	if (n >= 0 && e.key.length === 1) go(views[n][0]);
	else if (e.key === "/" && !byID("tools").hidden) byID("filter").focus();
	else if (e.key === "j") step(1);
	else if (e.key === "k") step(-1);
	else if (e.key === "Enter" && state.row && !e.target.matches("a, button")) pick(state.row, !state.open);
	else if (e.key === "Escape") pick("", false);
	else if (e.key === "s") nextSort();
	else if (e.key === "r" && state.sort[state.view]) sortBy(state.sort[state.view].replace("-", ""));
	else if (e.key === "p") setPaused(!state.paused);
	else if (e.key === "t") toggleTheme();
	else if (e.key === "?") byID("keys").showModal();
	else return;
	e.preventDefault();
}

views.forEach(([name, label], i) => {
	const a = el("a", "", label, el("small", "", String(i + 1)));
	a.href = "#" + name;
	a.dataset.view = name;
	byID("views").append(a);
});
addEventListener("hashchange", () => go(location.hash.slice(1)));
addEventListener("keydown", key);
document.addEventListener("visibilitychange", () => document.hidden || poll());
byID("filter").addEventListener("input", e => { state.filter = e.target.value; poll(); });
byID("loop").addEventListener("change", e => { state.loop = e.target.value; poll(); });
byID("pause").addEventListener("click", () => setPaused(!state.paused));
byID("theme").addEventListener("click", toggleTheme);
byID("help").addEventListener("click", () => byID("keys").showModal());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(store.get("theme")));
setTheme(store.get("theme"));
go(location.hash.slice(1) || "loops");
