// A job's page: its progress as it comes, by server-sent events, with the curve of its rate or of its training.
const panel = document.querySelector("[data-job]");
const at = (name) => panel.querySelector(`[data-${name}]`);
const curve = { times: [], values: [], other: [] };
let plot = null;
let isTraining = false;

function show(job) {
  at("state").textContent = job.paused && job.state === "running" ? "paused" : job.state;
  at("state").className = `state ${job.paused ? "paused" : job.state}`;
  at("progress").max = job.items || 1;
  at("progress").value = job.scored + job.rejected;
  for (const name of ["scored", "rejected", "items"]) at(name).textContent = job[name].toLocaleString("en");
  at("rate").textContent = job.rate ? job.rate.toFixed(1) : "–";
  at("left").textContent = job.seconds_left ? `, about ${duration(job.seconds_left)} left` : "";
  if (job.training && at("doing")) at("doing").textContent = job.training.doing;
  if (!isTraining && job.rate) draw(Date.now() / 1000, job.rate);
}

function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function draw(x, y, other = null) {
  curve.times.push(x);
  curve.values.push(y);
  curve.other.push(other);
  if (curve.times.length < 2) return;
  const box = at("curve");
  box.hidden = false;
  const data = isTraining ? [curve.times, curve.values, curve.other] : [curve.times, curve.values];
  plot ??= new uPlot(options(box.clientWidth), data, box);
  plot.setData(data);
}

function options(width) {
  const ink = getComputedStyle(panel).color;
  const line = (label, stroke) => ({ label, stroke, width: 2, points: { show: isTraining } });
  const axis = { stroke: ink, grid: { stroke: "#8884" }, ticks: { stroke: "#8884" } };
  return {
    width,
    height: 180,
    scales: { x: { time: !isTraining } },
    axes: [axis, { ...axis }],
    series: isTraining ? [{ label: "epoch" }, line("loss", "#2b7de0"), line("validation loss", "#d9822b")] : [{}, line("per second", "#2b7de0")],
  };
}

const events = new EventSource(`/v1/jobs/${panel.dataset.job}/events`);
events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
events.addEventListener("epoch", (event) => {
  const epoch = JSON.parse(event.data);
  isTraining = true;
  draw(epoch.epoch, epoch.loss, epoch.validation_loss ?? null);
});
events.addEventListener("ended", (event) => {
  show(JSON.parse(event.data));
  events.close();
  if (panel.dataset.ended === "no") location.reload(); // for what came out of it
});
