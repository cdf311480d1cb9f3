"""The style sheet of the HTML report: system fonts, light and dark, wide and narrow, screen and paper. It names nothing outside the file."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --sunken: #f1f3f6; --line: #dfe3e9; --text: #1b2330; --quiet: #566070;
  --accent: #3f3d9e; --tell: #ffe8a3; --tell-text: #33290a; --command: #10233d; --command-text: #e6edf7;
  --proven: #3f3d9e; --proven-soft: #ecebfb; --likely: #8a5800; --likely-soft: #fdf3dd; --healthy: #17663a; --healthy-soft: #e5f5ec;
  --unknown: #45566b; --unknown-soft: #e9eef4; --blind: #8a5800; --band: #e9e8fa; --far: #aeb8c6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161d; --card: #1a202a; --sunken: #141922; --line: #303947; --text: #e5e9f0; --quiet: #a3adbd;
    --accent: #b3b0ff; --tell: #5a4a12; --tell-text: #fff2cc; --command: #0d1117; --command-text: #dbe5f3;
    --proven: #b3b0ff; --proven-soft: #23233f; --likely: #f0c069; --likely-soft: #33290f; --healthy: #7fd6a4; --healthy-soft: #14301f;
    --unknown: #b4c2d4; --unknown-soft: #222b37; --blind: #f0c069; --band: #23233f; --far: #56627a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text); line-height: 1.55; font-size: 16px; overflow-wrap: anywhere;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Noto Sans JP", "Hiragino Sans", Arial, sans-serif;
}
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2rem; }
footer { padding-bottom: 3rem; color: var(--quiet); font-size: .875rem; }
code, pre, .place { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
h1 { font-size: 1.0625rem; font-weight: 600; margin: 0 0 .75rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 1rem; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
h3:first-of-type { margin-top: 0; }
p { margin: 0 0 .75rem; }
a { color: var(--accent); }
.quiet { color: var(--quiet); font-size: .875rem; }
dl { display: grid; grid-template-columns: minmax(6.5rem, max-content) 1fr; gap: .3rem 1.25rem; margin: 0 0 1rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
header dl { font-size: .9375rem; margin-bottom: 1.25rem; }
.banner { border-radius: 14px; padding: 1.4rem 1.6rem; margin: 0 0 1.25rem; border: 1px solid; border-left-width: 8px; }
.banner .label { font-size: .8125rem; font-weight: 700; letter-spacing: .07em; text-transform: uppercase; margin: 0 0 .4rem; }
.banner .headline { font-size: 1.5rem; line-height: 1.32; font-weight: 650; margin: 0 0 .5rem; color: var(--text); letter-spacing: -.012em; }
.banner .meaning { margin: 0; color: var(--quiet); font-size: .9375rem; }
.banner.proven { background: var(--proven-soft); border-color: var(--proven); } .banner.proven .label { color: var(--proven); }
.banner.likely, .banner.possible { background: var(--likely-soft); border-color: var(--likely); }
.banner.likely .label, .banner.possible .label { color: var(--likely); }
.banner.healthy { background: var(--healthy-soft); border-color: var(--healthy); } .banner.healthy .label { color: var(--healthy); }
.banner.unknown { background: var(--unknown-soft); border-color: var(--unknown); border-style: dashed; border-left-style: solid; }
.banner.unknown .label { color: var(--unknown); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.5rem 1.6rem; margin: 0 0 1.25rem; }
section > :last-child, details > :last-child { margin-bottom: 0; }
nav { margin: 0 0 1.25rem; font-size: .875rem; line-height: 2; } nav a { margin-right: 1.1rem; white-space: nowrap; text-decoration: none; }
nav a:hover { text-decoration: underline; }
ol.steps { list-style: none; margin: 0; padding: 0; counter-reset: step; }
ol.steps > li { counter-increment: step; position: relative; padding: 0 0 1.4rem 2.75rem; }
ol.steps > li::before {
  content: counter(step); position: absolute; left: 0; top: -.1rem; width: 1.8rem; height: 1.8rem; border-radius: 50%;
  background: var(--proven-soft); color: var(--accent); font-weight: 650; font-size: .875rem; display: grid; place-items: center;
}
ol.steps > li::after { content: ""; position: absolute; left: .87rem; top: 2rem; bottom: .3rem; width: 2px; background: var(--line); }
ol.steps > li:last-child { padding-bottom: 0; } ol.steps > li:last-child::after { display: none; }
.says { font-weight: 550; margin-bottom: .6rem; }
figure { margin: 0 0 .75rem; border: 1px solid var(--line); border-radius: 10px; overflow: hidden; background: var(--sunken); }
figcaption { font-size: .8125rem; padding: .4rem .85rem; color: var(--quiet); border-bottom: 1px solid var(--line); }
pre { margin: 0; padding: .75rem .85rem; white-space: pre-wrap; font-size: .8125rem; line-height: 1.6; tab-size: 4; }
mark { background: var(--tell); color: var(--tell-text); border-radius: 3px; padding: 0 .1em; }
.gap { color: var(--quiet); font-style: italic; }
.command { background: var(--command); color: var(--command-text); border-radius: 10px; margin: 0 0 .75rem; border: 1px solid var(--line); }
.command code { user-select: all; -webkit-user-select: all; cursor: copy; }
details { margin: 0 0 .75rem; } summary { cursor: pointer; } details.query summary { color: var(--quiet); font-size: .875rem; margin-bottom: .4rem; }
section > details > summary > h2 { display: inline; } section > details[open] > summary { margin-bottom: 1rem; }
summary:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; margin: 0 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .55rem .9rem .55rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; font-size: .8125rem; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
td:not(:last-child) { overflow-wrap: normal; min-width: 4.5rem; } td .more { color: var(--quiet); font-size: .8125rem; display: block; }
tr.answered td:first-child { color: var(--proven); font-weight: 650; } tr.absent td { color: var(--quiet); }
tr.blind td:nth-child(2) { color: var(--blind); }
blockquote { margin: 0; padding: .2rem 0 .2rem 1.1rem; border-left: 4px solid var(--line); font-size: 1.0625rem; white-space: pre-line; }
svg { display: block; width: 100%; height: auto; margin: 0 0 1.25rem; }
svg text { font-family: inherit; fill: var(--text); font-size: 12px; }
svg.down { display: none; max-width: 15rem; margin-left: auto; margin-right: auto; }
.hop text { text-anchor: middle; } .hop .title { font-weight: 600; font-size: 13.5px; } .hop .name { fill: var(--quiet); font-size: 12px; }
.hop rect { fill: var(--card); stroke: var(--unknown); stroke-width: 1.5; } .hop .state { font-size: 12.5px; fill: var(--quiet); }
.hop.client rect { fill: var(--sunken); }
.hop.answered rect { fill: var(--proven-soft); stroke: var(--proven); stroke-width: 3; } .hop.answered .state { fill: var(--proven); font-weight: 700; }
.hop.absent rect { fill: var(--sunken); stroke: var(--far); } .hop.absent .title { fill: var(--quiet); }
.hop.blind rect { stroke: var(--blind); stroke-dasharray: 5 4; } .hop.blind .state { fill: var(--blind); }
.way line { stroke: var(--unknown); stroke-width: 1.75; } .way polygon { fill: var(--unknown); }
.way.response line { stroke: var(--proven); stroke-dasharray: 6 3; } .way.response polygon { fill: var(--proven); }
.way.unreached line, .way.unknown line { stroke: var(--far); stroke-dasharray: 2 5; stroke-width: 2.5; }
.way.unreached polygon, .way.unknown polygon { fill: var(--far); }
.plot .lane, .plot .tick line { stroke: var(--line); } .plot .tick line { stroke-dasharray: 2 4; } .plot .tick text { text-anchor: middle; fill: var(--quiet); }
.plot .label { text-anchor: end; font-size: 13px; } .plot .zone { text-anchor: end; fill: var(--quiet); }
.plot .window { fill: var(--band); } .plot .bar { fill: var(--unknown); opacity: .45; }
.plot .mark { fill: var(--card); stroke: var(--unknown); stroke-width: 2; } .plot .loud { fill: var(--proven); stroke: var(--card); stroke-width: 1.5; }
@media (max-width: 44rem) {
  main, header, footer { padding-left: .9rem; padding-right: .9rem; } header { padding-top: 1.1rem; }
  .banner, section { padding: 1.1rem 1rem; border-radius: 12px; } .banner { border-left-width: 6px; } .banner .headline { font-size: 1.25rem; }
  dl { grid-template-columns: 5.4rem 1fr; gap: .25rem .75rem; font-size: .9375rem; } dt { font-size: .8125rem; padding-top: .1rem; }
  header dl { grid-template-columns: 4.2rem 1fr; font-size: .8125rem; }
  ol.steps > li { padding-left: 0; padding-top: .1rem; } ol.steps > li::after { display: none; } ol.steps > li::before { position: static; margin-bottom: .4rem; }
  svg.across { display: none; } svg.down { display: block; } .scroll { overflow-x: auto; } svg.plot { min-width: 40rem; }
  table, tbody, tr, td { display: block; } thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-bottom: 1px solid var(--line); padding: .55rem 0; } td { border: 0; padding: .1rem 0; }
  td::before { content: attr(data-label) ": "; color: var(--quiet); font-weight: 400; } td:first-child { font-weight: 600; }
}
@media print {
  :root { --page: #fff; --card: #fff; --sunken: #fff; --text: #000; --quiet: #444; --line: #bbb; --command: #fff; --command-text: #000; }
  body { font-size: 10.5pt; } nav { display: none; } section, .banner { break-inside: auto; border-radius: 0; } figure, .banner, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; height: auto; } main, header, footer { max-width: none; }
}
"""
