// Unpacks plotly.js and the figures, and draws every figure into its place: light or dark as the page is, and light on
// paper and in a downloaded file.
(async () => {
  const read = name => document.getElementById(name).textContent;
  const unpack = name => {
    const packed = Uint8Array.from(atob(read(name)), c => c.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    // The first of these would send the figure to a server; the second is replaced by the buttons of the caption.
    modeBarButtonsToRemove: [
      "sendChartToCloud", "toImage", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d",
    ],
  };
  const paperWidth = 680; // pixels: what A4 and Letter have room for
  const savedWidth = 900; // pixels of a downloaded figure; a PNG has three times as many
  const darkOf = new Map(Object.entries(JSON.parse(read("dark"))));
  const lightOf = new Map([...darkOf].map(([light, dark]) => [dark, light]));
  const repaint = (part, colours) =>
    JSON.parse(JSON.stringify(part), (_, value) => (colours.has(value) ? colours.get(value) : value));
  const scheme = matchMedia("(prefers-color-scheme: dark)");

  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.head.append(script);
  const figures = JSON.parse(await unpack("figures"));

  const save = (place, name, format) => {
    const shown = { data: repaint(place.data, lightOf), layout: repaint(place.layout, lightOf), config };
    const size = { width: savedWidth, height: place.layout.height, scale: format === "png" ? 3 : 1 };
    return Plotly.downloadImage(shown, { format, filename: name, ...size });
  };
  const addButtons = place => {
    const caption = place.parentElement.querySelector("figcaption");
    const title = caption.querySelector("strong").textContent.replace(/\.$/, "");
    const name = `${document.body.dataset.name} ${title}`.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
    const group = caption.appendChild(document.createElement("span"));
    group.className = "save";
    for (const format of ["svg", "png"]) {
      const button = group.appendChild(document.createElement("button"));
      button.textContent = format.toUpperCase();
      button.title = `Download this figure as ${format.toUpperCase()}`;
      button.setAttribute("aria-label", `Download "${title}" as ${format.toUpperCase()}`);
      button.addEventListener("click", () => save(place, name, format));
    }
  };
  for (const place of document.querySelectorAll(".plot")) {
    const { data, layout } = repaint(figures[place.dataset.figure], scheme.matches ? darkOf : new Map());
    try {
      await Plotly.newPlot(place, data, layout, config);
      addButtons(place);
    } catch (error) { place.textContent = `This figure cannot be drawn here: ${error.message}`; }
  }

  // Draws all figures again as they are shown now, with what was zoomed or hidden.
  const redraw = (colours, width) => {
    for (const place of document.querySelectorAll(".js-plotly-plot")) {
      const layout = { ...repaint(place.layout, colours), ...width };
      Plotly.react(place, repaint(place.data, colours), layout, config);
    }
  };
  const redrawAsPage = width => redraw(scheme.matches ? darkOf : lightOf, width);
  scheme.addEventListener("change", () => redrawAsPage({}));
  addEventListener("beforeprint", () => redraw(lightOf, { width: paperWidth, autosize: false }));
  addEventListener("afterprint", () => redrawAsPage({ width: undefined, autosize: true }));
  document.body.dataset.drawn = figures.length;
})();
