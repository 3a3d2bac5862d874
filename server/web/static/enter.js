// A link that just signs in needs no button; the form is what a browser without scripts, and a person, still has.

document.querySelector("form").requestSubmit();
