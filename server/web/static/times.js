// Times in the page's language and the store's zone; the server's own writing stays where this does not run.

for (const time of document.querySelectorAll("time[data-zone]")) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    dateStyle: "medium",
    timeStyle: "medium",
    timeZone: time.dataset.zone,
  });
  time.textContent = format.format(new Date(time.dateTime));
}
