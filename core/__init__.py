"""The ground floor, which imports nothing of ours.

- records: `timeline`, `in_time`, `tiers`; `prompt`; `labels`, `blends`, `derived`; `measures`
- settings: `settings`, `yaml_values`, `versioned`; `context`
- files: `files`, `unfinished`, `cells`, `tensors`, `digests`; `limits`
- models: `weights`, `downloads`, `carried`, `dequantized`, `onnx_files`
- words for people: `errors`, `text`, `console`, `pace`
- the process: `streams`, `interrupts`, `patience`, `memory`
"""
