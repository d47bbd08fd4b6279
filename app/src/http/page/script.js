// The page is whole without this. With it, the main part is asked for anew while somebody looks.
const line = document.getElementById("live");
async function update() {
  // What somebody selects or stands on is not taken away.
  const busy = document.getSelection().type === "Range" || document.querySelector("main").contains(document.activeElement);
  if (document.hidden || busy) return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    if (!answer.ok || !main) throw new Error(answer.status);
    document.querySelector("main").replaceWith(main);
    document.title = page.title;
    say("Updates itself every 5 seconds.");
  } catch {
    say("The service does not answer; what is shown is old. Trying again.");
  }
}
function say(text) { if (line.textContent !== text) line.textContent = text; }
say("Updates itself every 5 seconds.");
setInterval(update, 5000);
document.addEventListener("visibilitychange", update);
