import Testing

@Suite struct PlaceholderJobWorkerTests {}
