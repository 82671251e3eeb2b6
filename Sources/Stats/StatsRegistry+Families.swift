extension StatsRegistry {
  /// Makes counters for the members of families that were counted for the first time.
  func discoverMembers(_ state: inout State) {
    for serial in Array(state.families.keys) { discoverMembers(of: serial, &state) }
  }

  func discoverMembers(of serial: UInt64, _ state: inout State) {
    guard var family = state.families[serial] else { return }
    let start = family.metric.cell
    guard sum(start + UInt32(CellLayout.familyTotal)) != family.seenTotal else { return }
    // What was found, not the total: a member that this scan just missed makes them differ the next time.
    family.seenTotal = sum(start + UInt32(CellLayout.familyOutOfRange))
    for index in 0..<CellLayout.memberCount {
      let cell = start + UInt32(CellLayout.familyMembers + index)
      let count = sum(cell)
      family.seenTotal &+= count
      guard count != 0, family.members[index] == nil,
        let name = family.naming.name(of: index, in: family.metric.name)
      else { continue }
      let member = Metric(
        serial: state.takeSerial(), kind: .counter, name: name,
        tagRules: options.tags, cell: cell,
        isFamilyMember: true)
      family.members[index] = member
      let key = Key(kind: .counter, name: name)
      guard options.matcher.accepts(name) else { continue }
      let isLive = state.entries[Key(kind: .family, name: family.metric.name)]?.metric
        === family.metric
      if isLive {
        guard state.entries[key] == nil else { continue }
        state.entries[key] = Entry(metric: member, references: 1)
        state.added.append(member)
      } else {
        depart(member, &state)
      }
    }
    state.families[serial] = family
  }
}
