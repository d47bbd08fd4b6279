// The page is whole without this. With it, the main part is asked for anew; the title is there for tabs that nobody looks at.
const line = document.getElementById("live");
async function update() {
  // What somebody selects is not taken away.
  if (document.getSelection().type === "Range") return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    // This page has the style already, and its policy refuses the new one's, which has another nonce.
    const text = (await answer.text()).replace(/<style[^]*?<\/style>/, "");
    const page = new DOMParser().parseFromString(text, "text/html");
    const main = page.querySelector("main");
    if (!answer.ok || !main) throw new Error(answer.status);
    const focus = document.activeElement.getAttribute("href");
    document.querySelector("main").replaceWith(main);
    // Who stands on a link stays there.
    if (focus) document.querySelector(`a[href="${focus}"]`)?.focus({ preventScroll: true });
    document.title = page.title;
    say("Updates itself every 5 seconds.");
  } catch {
    document.title = "Cutover: does not answer";
    const state = document.querySelector(".tiles .state");
    state.className = "state bad";
    state.textContent = "does not answer";
    say("The service does not answer; what is shown is old. Trying again.");
  }
}
function say(text) { if (line.textContent !== text) line.textContent = text; }
say("Updates itself every 5 seconds.");
setInterval(update, 5000);
document.addEventListener("visibilitychange", update);
