"use strict";

const at = (id) => document.getElementById(id);

function show(id, text, wrong) {
  at(id).textContent = text;
  at(id).className = wrong ? "error" : "";
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] || "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function offer(link, name, text) {
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([bytes(text)], { type: "application/octet-stream" }));
  link.download = name;
  link.hidden = false;
}

// One question at a time for each button; its line counts the seconds until the answer.
async function ask(path, fields, button, line) {
  const begun = Date.now();
  const tick = () => show(line, `working, ${Math.round((Date.now() - begun) / 1000)} s ...`);
  tick();
  const clock = setInterval(tick, 1000);
  button.disabled = true;
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    show(line, (found.said || []).join("\n"));
    return found;
  } catch (error) {
    show(line, error.message || "the program that serves this page has ended", true);
    return null;
  } finally {
    clearInterval(clock);
    button.disabled = false;
  }
}

async function given(id) {
  const file = at(id).files[0];
  return file ? { [id]: await base64(file), [`${id}_name`]: file.name } : { [id]: "", [`${id}_name`]: "" };
}

async function capacity() {
  at("pictures").hidden = true;
  if (!at("cover").files.length) return;
  const fields = { ...(await given("cover")), scheme: at("scheme").value };
  const found = await ask("/capacity", fields, at("cover"), "carries");
  if (found) at("before").src = `data:image/png;base64,${found.png}`;
}

at("cover").onchange = capacity;
at("scheme").onchange = capacity;

at("hide").onclick = async () => {
  at("pictures").hidden = true;
  const message = at("file").files[0] || new Blob([at("text").value]);
  const fields = {
    ...(await given("cover")),
    message: await base64(message),
    password: at("password").value,
    scheme: at("scheme").value,
  };
  const found = await ask("/hide", fields, at("hide"), "hidden");
  if (!found) return;
  at("after").src = `data:image/png;base64,${found.png}`;
  at("changes").src = `data:image/png;base64,${found.changes}`;
  offer(at("download"), found.name, found.stego);
  show("detected", found.detected.join("\n"));
  at("pictures").hidden = false;
};

at("reveal").onclick = async () => {
  at("message").hidden = true;
  const fields = { ...(await given("stego")), password: at("again").value };
  const found = await ask("/reveal", fields, at("reveal"), "revealed");
  if (!found) return;
  offer(at("message"), "message", found.message);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes(found.message));
    if (text.length < 10000) show("revealed", `${found.said}:\n${text}`);
  } catch (error) {
    // Not a text: it is there to download.
  }
};
