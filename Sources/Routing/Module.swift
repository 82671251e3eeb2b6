enum RoutingModule {}
