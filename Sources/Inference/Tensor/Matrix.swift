/// A dense row-major Float32 matrix that owns its buffer.
///
/// `@unchecked Sendable`: its guard is a convention that every call site keeps: one thread fills a fresh matrix, and once
/// it has been handed to another thread nobody writes to it again.
public final class Matrix: @unchecked Sendable {
  /// Number of rows.
  public let rows: Int
  /// Number of columns.
  public let columns: Int
  let storage: UnsafeMutableBufferPointer<Float>
  let base: UnsafeMutablePointer<Float>
  /// The matrix whose rows these are; nil: the buffer is its own.
  private let whole: Matrix?

  /// An uninitialised `[rows, columns]` matrix: the caller writes every element before reading one.
  init(uninitializedRows rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0)
    self.rows = rows
    self.columns = columns
    // 64-byte alignment: one AVX-512 register and one cache line.
    let count = max(1, rows * columns)
    let bytes = count * MemoryLayout<Float>.stride
    let raw =
      BufferPool.shared.take(byteCount: bytes) ?? UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    base = raw.bindMemory(to: Float.self, capacity: count)
    storage = UnsafeMutableBufferPointer(start: base, count: rows * columns)
    whole = nil
  }

  /// Rows `range` of another matrix, in its memory.
  private init(_ range: Range<Int>, of whole: Matrix) {
    precondition(range.upperBound <= whole.rows)
    rows = range.count
    columns = whole.columns
    base = whole.base + range.lowerBound * whole.columns
    storage = UnsafeMutableBufferPointer(start: base, count: range.count * whole.columns)
    self.whole = whole
  }

  /// A `[rows, columns]` matrix of zeros.
  public convenience init(rows: Int, columns: Int) {
    self.init(uninitializedRows: rows, columns: columns)
    storage.initialize(repeating: 0)
  }

  /// A `[rows, columns]` matrix of the given row-major values.
  public convenience init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns)
    self.init(uninitializedRows: rows, columns: columns)
    _ = storage.initialize(from: values)
  }

  deinit {
    guard whole == nil else { return }
    BufferPool.shared.give(UnsafeMutableRawPointer(base), byteCount: max(byteCount, MemoryLayout<Float>.stride))
  }

  /// The element in row `row`, column `column`.
  public subscript(row: Int, column: Int) -> Float {
    get { storage[row * columns + column] }
    set { storage[row * columns + column] = newValue }
  }

  /// Some of the rows, in the same memory: what is written to them is written to both.
  func strip(_ range: Range<Int>) -> Matrix { Matrix(range, of: self) }

  /// All elements, row-major.
  public var values: [Float] { Array(storage) }

  /// Bytes of the buffer.
  public var byteCount: Int { rows * columns * MemoryLayout<Float>.stride }

  /// A new matrix with the same elements.
  public func copy() -> Matrix {
    let result = Matrix(uninitializedRows: rows, columns: columns)
    _ = result.storage.initialize(from: storage)
    return result
  }
}

extension Matrix {
  /// The rows of `table` named by `indices`, in order; the caller has checked the range.
  static func gatherRows(of table: Matrix, _ indices: [Int32]) -> Matrix {
    let result = Matrix(uninitializedRows: indices.count, columns: table.columns)
    for (row, index) in indices.enumerated() {
      precondition(index >= 0 && Int(index) < table.rows)
      (result.base + row * table.columns).update(from: table.base + Int(index) * table.columns, count: table.columns)
    }
    return result
  }

  /// Copies the first `count` rows of `source` over those from `first` on.
  func copyRows(from source: Matrix, count: Int, to first: Int) {
    precondition(source.columns == columns && count <= source.rows && first + count <= rows)
    (base + first * columns).update(from: source.base, count: count * columns)
  }

  /// The little-endian float32 bytes, row-major.
  var littleEndianBytes: [UInt8] {
    #if _endian(little)
      return [UInt8](UnsafeRawBufferPointer(storage))
    #else
      return storage.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
    #endif
  }

  /// From little-endian float32 bytes; nil if their count does not fit.
  convenience init?(rows: Int, columns: Int, littleEndianBytes bytes: [UInt8]) {
    guard bytes.count == rows * columns * MemoryLayout<Float>.stride else { return nil }
    self.init(uninitializedRows: rows, columns: columns)
    bytes.withUnsafeBytes { source in
      for index in 0..<rows * columns {
        base[index] = Float(
          bitPattern: UInt32(littleEndian: source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
      }
    }
  }
}
