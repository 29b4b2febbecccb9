// Puts the parts together: the connection feeds the model, and the parts show the model.

import { AlertList } from "./alerts.js";
import { AwayNotice } from "./away.js";
import { Clock } from "./clock.js";
import { Connection, SOUND, VERSION } from "./connection.js";
import { Conversation } from "./conversation.js";
import { byId, unsay } from "./dom.js";
import { apply, onLanguage, other, setLanguage } from "./language.js";
import { Memory } from "./memory.js";
import { Microphone } from "./microphone.js";
import { Model } from "./model.js";
import { Phone } from "./phone.js";
import { Pictures } from "./pictures.js";
import { Replay } from "./replay.js";
import { Stage } from "./stage.js";
import { StatusLine } from "./status.js";
import { openTabs } from "./tabs.js";
import { openTheme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { WatchList } from "./watches.js";

const model = new Model();
const clock = (model.clock = new Clock());
const connection = new Connection({
  onMessage: take,
  onPicture: (place, stamp, blob) => stage.draw(place, stamp, blob),
  onState: (state) => changed(state),
  onRefused: (kind, error) => (kind === SOUND ? microphone : phone).refused(error),
});
const pictures = new Pictures(connection);
const away = new AwayNotice(connection);
const stage = new Stage(model, connection);
const timeline = new Timeline(model, pictures);
const replay = new Replay(model, connection);
const phone = new Phone(model, connection);
new StatusLine(model, connection, away);
new Conversation(model, connection, pictures);
new WatchList(model, connection, pictures);
new AlertList(model, connection, pictures);
new Memory(model, connection, pictures);
const microphone = new Microphone(model, connection);

function take(message) {
  if (message.server_ms !== undefined) clock.hear(message.server_ms);
  if (message.type === "playback") clock.follow(message);
  if (message.type === "forgotten") unsay();
  if (message.type === "hello") {
    if (message.version !== VERSION) return location.reload();
    if (!message.replay) clock.follow(null);
  }
  model.take(message);
  if (message.type === "hello") {
    stage.forgetAges();
    stage.askPictures();
    phone.entered();
  }
}

function changed(state) {
  away.take(state);
  if (state.name !== "open") {
    phone.left(); // at once: a page that nobody sees is not drawn, and sends all the same
    microphone.left();
  }
  model.changed("connection");
}

function words() {
  apply();
  byId("language").firstElementChild.textContent = other() === "zh" ? "中" : "EN";
  away.show();
  model.changed("language");
}

byId("language").onclick = () => setLanguage(other());
onLanguage(words);
openTabs();
openTheme(() => {
  timeline.recolour();
  replay.draw();
});
words();
connection.open();
