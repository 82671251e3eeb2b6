/// Arithmetic on numbers of users and traffic: it stops at the largest, and never traps.
extension FixedWidthInteger where Self: UnsignedInteger {
  @inlinable @inline(__always)
  public func saturatingAdd(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  @inlinable @inline(__always)
  public func saturatingSubtract(_ other: Self) -> Self { self > other ? self &- other : 0 }

  @inlinable @inline(__always)
  public func saturatingMultiply(_ other: Self) -> Self {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
