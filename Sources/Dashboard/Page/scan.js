// A code held before the camera, or on a picture, goes into its field. The node at this address reads it.
const words = document.documentElement.lang.startsWith("zh")
  ? {
    camera: "用摄像头扫码", picture: "或选择一张图片", hold: "将二维码对准摄像头。", stop: "取消",
    read: "已读取。", other: "这是别的二维码。", refused: "无法使用摄像头。请允许使用，或选择一张图片。", odd: "无法打开这张图片。",
    away: "节点没有应答。",
  }
  : {
    camera: "Scan with the camera", picture: "Or choose a picture of it", hold: "Hold the code before the camera.", stop: "Cancel",
    read: "It is read.", other: "This is another kind of code.", refused: "The camera cannot be used. Allow it, or choose a picture.",
    odd: "This picture cannot be opened.", away: "The node does not answer.",
  };
// Wide enough for any code of ours, and small enough to send twice a second.
const widest = 1280;
const pause = 300;

const make = (name, text = "") => {
  const one = document.createElement(name);
  one.textContent = text;
  return one;
};

// What the node reads in a picture, or why nothing.
async function read(picture, width, height, token) {
  const scale = Math.min(1, widest / Math.max(width, height));
  const canvas = make("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const body = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
  try {
    const answer = await fetch("/scan", { method: "POST", body, headers: { "Content-Type": "image/jpeg", "X-Form-Token": token } });
    const told = await answer.json();
    return answer.ok ? { texts: told.texts } : { why: told.detail, code: told.code };
  } catch { return { why: words.away }; }
}

export function dressScan(field) {
  const form = field.form;
  const says = make("small");
  says.setAttribute("role", "status");
  const take = (found) => {
    const text = found.texts?.find((one) => one.startsWith(field.dataset.scan));
    says.textContent = text ? words.read : found.why ?? words.other;
    if (!text) return false;
    field.value = text;
    const way = form.elements.way;
    if (way) way.value = "join";
    return true;
  };
  const token = () => form.elements["form-token"].value;

  const button = make("button", words.camera);
  button.type = "button";
  button.addEventListener("click", async () => {
    let stream;
    try { stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }); } catch {
      says.textContent = words.refused;
      return;
    }
    const [dialog, video, hint, stop] = [make("dialog"), make("video"), make("p", words.hold), make("button", words.stop)];
    dialog.className = "camera";
    dialog.setAttribute("aria-label", words.camera);
    hint.setAttribute("role", "status");
    video.muted = true;
    video.playsInline = true;
    video.srcObject = stream;
    stop.type = "button";
    stop.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      for (const track of stream.getTracks()) track.stop();
      dialog.remove();
      field.focus();
    });
    dialog.append(video, hint, stop);
    document.body.append(dialog);
    dialog.showModal();
    await video.play();
    while (dialog.open) {
      if (video.videoWidth) {
        const found = await read(video, video.videoWidth, video.videoHeight, token());
        if (!dialog.open) return;
        if (take(found)) { dialog.close(); return; }
        hint.textContent = found.code === "code_unseen" || found.code === "picture_busy" ? words.hold : says.textContent;
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  });

  const label = make("label", words.picture);
  label.className = "field";
  const file = make("input");
  file.type = "file";
  file.accept = "image/*";
  label.append(file);
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    let picture;
    try { picture = await createImageBitmap(file.files[0]); } catch {
      says.textContent = words.odd;
      return;
    }
    take(await read(picture, picture.width, picture.height, token()));
  });

  const buttons = make("p");
  buttons.className = "buttons";
  if (navigator.mediaDevices?.getUserMedia) buttons.append(button);
  field.closest(".field").after(buttons, label, says);
}

for (const field of document.querySelectorAll("[data-scan]")) {
  field.dataset.dressed = "yes";
  dressScan(field);
}
