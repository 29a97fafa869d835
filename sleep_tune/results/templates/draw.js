// Unpacks plotly.js and the figures, and draws every figure into its place.
(async () => {
  const unpack = name => {
    const packed = Uint8Array.from(atob(document.getElementById(name).textContent), c => c.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const config = {
    responsive: true,
    displaylogo: false,
    displayModeBar: "hover",
    // The first of these would send the figure to a server.
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
  };
  const paperWidth = 680; // pixels: what A4 and Letter have room for
  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.head.append(script);
  const figures = JSON.parse(await unpack("figures"));
  for (const place of document.querySelectorAll(".plot")) {
    const { data, layout } = figures[place.dataset.figure];
    try { await Plotly.newPlot(place, data, layout, config); }
    catch (error) { place.textContent = `This figure cannot be drawn here: ${error.message}`; }
  }
  const fit = width => document.querySelectorAll(".js-plotly-plot").forEach(place => Plotly.relayout(place, width));
  addEventListener("beforeprint", () => fit({ width: paperWidth, autosize: false }));
  addEventListener("afterprint", () => fit({ width: null, autosize: true }));
  document.body.dataset.drawn = figures.length;
})();
