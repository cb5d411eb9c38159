// Putting cutouts on record into a data set.
const form = document.querySelector("[data-fill]");
const told = form?.querySelector("[data-told]");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { filter, job, limit } = Object.fromEntries(new FormData(form));
  told.textContent = "Looking…";
  const wanted = job.trim() ? { job: job.trim() } : { filter };
  const taken = await fill(form.dataset.fill, { ...wanted, limit: Number(limit) });
  told.textContent = taken.told;
  if (taken.new > 0) location.reload();
});

/** Ask for cutouts to be put in; what came of it in words. */
export async function fill(address, wanted) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(wanted),
  }).catch(() => null);
  const said = (await answer?.json().catch(() => null)) ?? {};
  if (!answer?.ok) return { new: 0, told: said.detail ?? "The service does not answer." };
  const known = said.known ? `, ${said.known} there already` : "";
  const refused = said.refused ? `, ${said.refused} not taken in, such as ${said.faults[0].name}: ${said.faults[0].fault}` : "";
  return { new: said.new, told: `${said.new} new${known}${refused}${said.more ? "; there are more" : ""}.` };
}
