// What the page does beyond htmx: shows the state of the connection, pauses, and draws the charts.
"use strict";

const connection = document.getElementById("connection");
const pause = document.getElementById("pause");
const charts = new Map();
let latest = JSON.parse(document.getElementById("first-series").textContent);

const paused = () => pause.getAttribute("aria-pressed") === "true";

function showState(state) {
  connection.dataset.state = state;
  connection.textContent = paused() && state === "live" ? "paused" : state;
}

document.body.addEventListener("htmx:sseOpen", () => showState("live"));
document.body.addEventListener("htmx:sseError", () => showState("reconnecting"));
document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
  // After a break that the browser mended by itself there is no other sign than the next message.
  if (connection.dataset.state !== "live") showState("live");
  if (paused()) {
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
    legend: { top: 0, textStyle: text, itemHeight: 8 },
    xAxis: { axisLabel: text, axisLine: line, splitLine: { show: false }, ...xAxis },
    yAxis: { type: "value", axisLabel: text, splitLine: line, min: 0, ...yAxis },
  };
}

const seconds = (series) => ({ type: "category", data: series.ago.map((ago) => `${ago} s`), boundaryGap: false });

function linesOf(series, names) {
  return names.map(([key, label, shade, stack]) => ({
    name: label,
    type: "line",
    data: series[key],
    showSymbol: false,
    connectNulls: true,
    stack,
    areaStyle: stack ? { opacity: 0.35 } : undefined,
    lineStyle: { width: 1.5, color: color(shade) },
    itemStyle: { color: color(shade) },
  }));
}

function optionOfRates(series) {
  const names = [["allow", "allow", "allow", "all"], ["review", "review", "review", "all"], ["block", "block", "block", "all"]];
  return { ...axes(seconds(series)), series: linesOf(series, names) };
}

function optionOfLatency(series) {
  const names = [["p50", "median", "accent"], ["p95", "p95", "review"]];
  return { ...axes(seconds(series)), series: linesOf(series, names) };
}

function optionOfLearning(series) {
  const curve = series.curve.filter(([, precision]) => precision !== null);
  return {
    ...axes({ type: "value", min: 0 }, { max: 1 }),
    legend: { show: false },
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
    `Latency from request to decision: median ${last(series.p50) ?? "unknown"} ms, p95 ${last(series.p95) ?? "unknown"} ms`);
  const point = series.curve.at(-1);
  drawOne("learning", optionOfLearning(series),
    point ? `Average precision ${point[1] ?? "unknown"} after ${point[0]} labels` : "Nothing learned yet");
}

draw(latest);
window.addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(latest));
