# started on Sat Nov 21 01:30:08 2026

<not counted>,,net:net_dev_queue,0,100.00,,
<not counted>,,net:netif_receive_skb,0,100.00,,
<not counted>,,timer:hrtimer_expire_entry,0,100.00,,
<not counted>,,irq:softirq_entry,0,100.00,,
<not counted>,,skb:consume_skb,0,100.00,,
<not counted>,,context-switches,0,100.00,,
<not counted>,msec,task-clock,0,100.00,,
