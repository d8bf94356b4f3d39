// What the page does beyond htmx: shows the state of the connection, pauses, and draws the charts.
"use strict";

const connection = document.getElementById("connection");
const pause = document.getElementById("pause");
const charts = new Map();
let latest = JSON.parse(document.getElementById("first-series").textContent);

const WORDS = { ended: "ended: Weir was stopped. Load the page again once it runs." };

const paused = () => pause.getAttribute("aria-pressed") === "true";

function showState(state) {
  connection.dataset.state = state;
  connection.textContent = paused() && state === "live" ? "paused" : WORDS[state] ?? state;
}

document.body.addEventListener("htmx:sseOpen", () => showState("live"));
document.body.addEventListener("htmx:sseError", () => showState("reconnecting"));
document.body.addEventListener("htmx:sseClose", (event) => {
  if (event.detail.type !== "message") return;
  showState("ended");
  pause.hidden = true;
});
document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
  // After a break that the browser mended by itself there is no other sign than the next message.
  if (connection.dataset.state !== "live") showState("live");
  // A link that is being pressed stays where it is: a swap would swallow the click.
  if (paused() || event.target.matches(":has(a:active)")) {
    event.preventDefault();
  } else if (event.target.id === "series") {
    latest = JSON.parse(event.detail.data);
    draw(latest);
    event.preventDefault();
  }
});

pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!paused()));
  pause.textContent = paused() ? "Resume" : "Pause";
  showState(connection.dataset.state);
});

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function axes(xAxis, yAxis) {
  const text = { color: color("quiet") };
  const line = { lineStyle: { color: color("line") } };
  return {
    animation: false,
    grid: { left: 40, right: 12, top: 28, bottom: 24 },
    legend: { top: 0, textStyle: { ...text, fontSize: 11 }, itemHeight: 8, itemWidth: 12, itemGap: 6 },
    xAxis: { axisLabel: text, axisLine: line, splitLine: { show: false }, ...xAxis },
    yAxis: { type: "value", axisLabel: text, splitLine: line, min: 0, ...yAxis },
  };
}

const ROOM_FOR_FOUR_LABELS_PX = 300;

function seconds(series) {
  const every = document.getElementById("rates").clientWidth < ROOM_FOR_FOUR_LABELS_PX ? 60 : 30;
  const round = (place) => series.ago[place] % every === 0;
  const words = series.ago.map((ago) => (ago === 0 ? "now" : `${-ago} s ago`));
  const quiet = { color: color("quiet") };
  return { type: "category", data: words, axisLabel: { ...quiet, interval: round }, axisTick: { interval: round } };
}

function barsOf(series, names) {
  return names.map(([key, label]) => ({
    name: label,
    type: "bar",
    data: series[key],
    stack: "all",
    barCategoryGap: "15%",
    itemStyle: { color: color(key) },
  }));
}

function linesOf(series, names) {
  return names.map(([key, label, shade]) => ({
    name: label,
    type: "line",
    data: series[key],
    // A second without a decision has no latency: the line breaks, and one between two such is a dot.
    symbol: "circle",
    symbolSize: 2,
    showAllSymbol: true,
    lineStyle: { width: 1.5, color: color(shade) },
    itemStyle: { color: color(shade) },
  }));
}

function optionOfRates(series) {
  // What is rare stands at the bottom, where its height can be read off.
  const names = [["block", "blocked"], ["review", "held for review"], ["allow", "allowed"]];
  return { ...axes(seconds(series), { minInterval: 1 }), series: barsOf(series, names) };
}

function optionOfLatency(series) {
  const names = [["p50", "median", "accent"], ["p95", "p95", "review"]];
  return { ...axes(seconds(series)), series: linesOf(series, names) };
}

function optionOfLearning(series) {
  const curve = series.curve.filter(([, precision]) => precision !== null);
  const empty = { text: "too few labels yet", left: "center", top: "middle", textStyle: { color: color("quiet"), fontSize: 13, fontWeight: "normal" } };
  return {
    ...axes({ type: "value", min: 0, minInterval: 1 }, { max: 1 }),
    legend: { show: false },
    title: curve.length ? undefined : empty,
    series: [{ type: "line", data: curve, showSymbol: curve.length < 3, lineStyle: { color: color("accent") }, itemStyle: { color: color("accent") } }],
  };
}

function drawOne(id, option, words) {
  const place = document.getElementById(id);
  if (!charts.has(id)) charts.set(id, echarts.init(place, null, { renderer: "canvas" }));
  charts.get(id).setOption(option, { notMerge: true });
  place.setAttribute("aria-label", words);
}

const last = (values) => values.filter((value) => value !== null).at(-1);

function draw(series) {
  const before = series.allow.length - 2;
  drawOne("rates", optionOfRates(series),
    `Decisions in the last whole second: ${series.allow[before]} allowed, ${series.review[before]} held, ${series.block[before]} blocked`);
  drawOne("latency", optionOfLatency(series),
    `Decision, from request to reply: median ${last(series.p50) ?? "unknown"} ms, p95 ${last(series.p95) ?? "unknown"} ms`);
  const point = series.curve.at(-1);
  drawOne("learning", optionOfLearning(series),
    point ? `Average precision ${point[1] ?? "unknown, too few labels"} after ${point[0]} labels` : "Nothing learned yet");
}

draw(latest);
window.addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(latest));
