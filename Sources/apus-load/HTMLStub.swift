import LoadReport
struct HTMLReport { init(_ r: [RunResult]) {} ; var text: String { "" } }
