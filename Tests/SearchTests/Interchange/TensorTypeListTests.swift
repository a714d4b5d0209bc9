import Inference
import TestSupport
import Testing

@testable import Search

/// Recipes for quantizers that make GGUF files.
@Suite(.usualTimeLimit) struct TensorTypeListTests {
  @Test func patternsMatchOneTensorAlone() throws {
    let paths = ["self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj"]
    let entries = try paths.map {
      TensorTypeList.Entry(tensor: try #require(TensorTypeList.tensor(path: $0, block: 1)), type: .q4K)
    }
    let text = TensorTypeList(entries: entries).text
    #expect(
      text == """
        ^blk\\.1\\.attn_q\\.weight$=Q4_K
        ^blk\\.1\\.attn_output\\.weight$=Q4_K
        ^blk\\.1\\.ffn_down\\.weight$=Q4_K

        """)
    for line in text.split(separator: "\n") {
      let pattern = try Regex(String(line.prefix { $0 != "=" }))
      #expect(entries.count { $0.tensor.contains(pattern) } == 1)
      #expect(!"blk.11.attn_q.weight".contains(pattern))
    }
    #expect(TensorTypeList.tensor(path: "fc1", block: 0) == nil)
  }

  @Test func filesOfTheToolkitNameTypes() {
    let names: [(type: GGUFType, file: String)] = [
      (.q2K, "2.5625-Q2_K.pth"), (.q3K, "3.4375-Q3_K.pth"), (.q4K, "4.5-Q4_K.pth"), (.q6K, "6.5625-Q6_K.pth"),
      (.q41, "5-Q4_1.pth"), (.q80, "8.5-Q8_0.pth"), (.iq4NL, "4.56-IQ4_NL.pth"), (.float16, "16-F16.pth"),
      (.float32, "32-F32.pth"),
    ]
    for (type, file) in names {
      #expect(ToolkitLevel(type).file == file)
      #expect(ToolkitLevel(file: file)?.type == type)
    }
    for file in ["Q4_K.pth", "4.5-Q4_K", "4.5-Q9_K.pth", "x-Q4_K.pth", "3.pth", ""] {
      #expect(ToolkitLevel(file: file) == nil, "\(file)")
    }
  }
}
