enum HTTP1Module {}
