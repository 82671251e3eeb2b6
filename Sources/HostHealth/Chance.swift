/// Whether something that is to be done in `percent` of all cases is done now. Rolls only when the
/// answer is not certain; above 100 is 100.
func chance(ofPercent percent: UInt32, using random: inout some RandomNumberGenerator) -> Bool {
  if percent == 0 { return false }
  if percent >= 100 { return true }
  return random.next() as UInt64 % 100 < UInt64(percent)
}
